package runstate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Action is how the machine ends, in systemd's word.
type Action string

// The actions (systemd-shutdown's verbs).
const (
	PowerOff Action = "poweroff"
	Reboot   Action = "reboot"
	Halt     Action = "halt"
	Kexec    Action = "kexec"
)

// Actions lists them.
func Actions() []Action { return []Action{PowerOff, Reboot, Halt, Kexec} }

// BegunArgument among the arguments of the shutdown program means that a shutdown has begun; the
// others are those of its Mark.
const BegunArgument = "begun"

// Mark is what is known of a shutdown that has begun. Its file is there for as long as the real
// system is on its way down.
type Mark struct {
	Action Action
	Limit  time.Duration // for how long a root disk without a target may delay it, in whole seconds; 0: no limit
}

// Format writes a mark as its file has it. A limit is rounded up to seconds: 0 has a meaning of its
// own.
func (m Mark) Format() string {
	limit := max(m.Limit, 0) / time.Second
	if m.Limit%time.Second > 0 {
		limit++
	}
	return fmt.Sprintf("%s %d\n", m.Action, min(limit, math.MaxInt32))
}

// errNoAction is the error of a text without an action.
var errNoAction = errors.New("it names no action")

// ParseMark reads what Format wrote.
func ParseMark(text string) (Mark, error) {
	if len(text) > maxText {
		return Mark{}, fmt.Errorf("parse shutdown mark: %d bytes, limit %d", len(text), maxText)
	}
	return MarkOf(strings.Fields(text))
}

// MarkOf reads a mark from its words, an action and a number of seconds. Others are ignored. A
// version is version=N: a number alone is the limit.
func MarkOf(words []string) (Mark, error) {
	var m Mark
	for _, w := range words {
		if v, ok := strings.CutPrefix(w, "version="); ok {
			if err := checkVersion(v); err != nil {
				return Mark{}, fmt.Errorf("parse shutdown mark: %w", err)
			}
		} else if slices.Contains(Actions(), Action(w)) {
			m.Action = Action(w)
		} else if n, err := strconv.ParseUint(w, 10, 31); err == nil {
			m.Limit = time.Duration(n) * time.Second
		}
	}
	if m.Action == "" {
		return Mark{}, fmt.Errorf("parse shutdown mark: %w", errNoAction)
	}
	return m, nil
}

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// State is what PID 1 hands to the agent, and one worker to the next. There are secrets in it: it
// never leaves memory.
type State struct {
	Sessions []session.State
	Uplinks  []uplink.Uplink
	Disks    disks.Memory
	// Past is what the worker that ended knew, at a time on the clock of clock.SinceBoot.
	Past []recovery.Status
	At   time.Duration
}

// With returns the state with what is known of the sessions at this moment.
func (s State) With(past []recovery.Status) State {
	s.Past, s.At = past, clock.SinceBoot()
	return s
}

// errState says that a state was not written by Append. It does not show what is in it.
var errState = errors.New("the agent's state is damaged")

// parseState reads what Append wrote.
func parseState(b []byte) (State, error) {
	var s State
	head, rest, ok := bytes.Cut(b, []byte("sessions\n"))
	if !ok {
		return s, errState
	}
	for line := range strings.Lines(string(head)) {
		if err := s.line(strings.TrimSuffix(line, "\n")); err != nil {
			return State{}, fmt.Errorf("%w: %w", errState, err)
		}
	}
	var err error
	s.Sessions, err = session.ParseStates(rest)
	return s, err
}

// line takes one in.
func (s *State) line(line string) error {
	key, values, _ := strings.Cut(line, " ")
	switch key {
	case "at":
		n, err := strconv.ParseInt(values, 10, 64)
		s.At = time.Duration(n)
		return err
	case "past":
		if len(s.Past) == session.MaxStates {
			return fmt.Errorf("more than %d sessions", session.MaxStates)
		}
		var p recovery.Status
		err := words.Read(values, &p.SID, &p.Up, &p.Ended, &p.Outages, &p.Longest, &p.Down, &p.Cause,
			&p.LastErr, &p.NotBefore, &p.Forced, &p.Refused)
		s.Past = append(s.Past, p)
		return err
	case "uplink":
		var u uplink.Uplink
		var lease string
		if err := words.Read(values, &u.Index, &u.MAC, &u.Known, &u.Permanent, &u.Kind, &u.VLAN, &u.Parent,
			&u.Keep, &u.Temporary, &lease); err != nil {
			return err
		}
		var err error
		if u.Lease, err = runstate.ParseLease(lease); len(s.Uplinks) == maxUplinks {
			return fmt.Errorf("more than %d uplinks", maxUplinks)
		}
		s.Uplinks = append(s.Uplinks, u)
		return err
	}
	if known, err := s.Disks.Line(key, values); known {
		return err
	}
	return fmt.Errorf("what is %q", key)
}

// past is what the agent knew, as it stands now: what was down still is, as far as anybody knows.
func (s State) past(now time.Duration) []recovery.Status {
	out := slices.Clone(s.Past)
	for i := range out {
		if p := &out[i]; !p.Up && !p.Ended {
			p.Down += max(0, now-s.At)
			p.NotBefore = max(0, p.NotBefore-max(0, now-s.At))
		}
	}
	return out
}

package boot

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// neverDie ends the boot in order if PID 1's own goroutine panics. A panic in
// another goroutine, or a fatal error of the runtime, cannot be caught: then
// the kernel's panic= reboots.
func (m *Machine) neverDie() {
	v := recover()
	if v == nil {
		v = "main returned"
	}
	m.fail(&sequence.Failure{Step: "main", Err: &contain.PanicError{Value: v, Stack: string(debug.Stack())}})
	m.end()
}

// showStack shows where a panic came from, for the report of the bug.
func (m *Machine) showStack(err error) { logStack(m.Log, err) }

// logStack writes a panic's stack to a log.
func logStack(log sequence.Logger, err error) {
	var p *contain.PanicError
	if !errors.As(err, &p) {
		return
	}
	log.Errorf("this is a bug in iscsiroot: please report it with the lines that follow")
	for line := range strings.SplitSeq(p.Stack, "\n") {
		log.Errorf("%s", strings.TrimSpace(fmt.Sprint(line)))
	}
}

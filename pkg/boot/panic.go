package boot

import (
	"runtime/debug"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// endOnPanic ends the boot in order if PID 1's own goroutine panics. A panic in another goroutine,
// or a fatal error of the runtime, cannot be caught: then the kernel's panic= reboots.
func (m *Machine) endOnPanic() {
	v := recover()
	if v == nil {
		v = "main returned"
	}
	m.fail(&sequence.Failure{Step: "main", Err: &contain.PanicError{Value: v, Stack: string(debug.Stack())}})
	m.end()
}

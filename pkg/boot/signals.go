package boot

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// catchSignals catches every signal that can be caught, so that none ends PID 1. It reaps children
// at SIGCHLD, and calls ctrlAltDel for SIGINT, which the kernel sends for that key combination
// after LINUX_REBOOT_CMD_CAD_OFF. Every other signal does nothing. ctrlAltDel, which may not
// return, runs in a goroutine of its own for each.
func catchSignals(r *reaper, ctrlAltDel func()) {
	// A full channel drops signals, which are ignored anyway.
	signal.Notify(make(chan os.Signal, 1), caughtSignals()...)
	onSignal("reaper", unix.SIGCHLD, r.reap)
	onSignal("ctrl-alt-del", unix.SIGINT, func() { contain.Go("ctrl-alt-del", ctrlAltDel, nil) })
}

// onSignal calls f in a goroutine of its own for each signal of a kind. Of those that come while f
// runs one is kept, so f must do the work of all. The goroutine never ends: after a panic it takes
// the next signal.
func onSignal(name string, s os.Signal, f func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, s)
	contain.Go(name, func() {
		for range signals {
			_ = contain.Call(name, func() error { f(); return nil })
		}
	}, nil)
}

// lastSignal is the highest number (include/uapi/asm-generic/signal.h: _NSIG).
const lastSignal = 64

// caughtSignals are all but SIGURG, which the Go runtime sends itself to preempt a goroutine
// (runtime/signal_unix.go: sigPreempt), hundreds of times in a boot: the runtime's handler takes
// it, and its default is to be ignored. Package signal ignores SIGKILL, SIGSTOP and libcSignals.
func caughtSignals() []os.Signal {
	var out []os.Signal
	for s := unix.Signal(1); s <= lastSignal; s++ {
		if s != unix.SIGURG {
			out = append(out, s)
		}
	}
	return out
}

//go:build linux

package modload

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Measure passes the processor time of each Load to took, in any goroutine, and before that, as
// less than nothing, what the lines for Options.Debugf took of it. It must be called before the
// first Load.
func (l *Loader) Measure(took func(time.Duration)) {
	l.took = took
	say := l.opts.Debugf
	l.opts.Debugf = func(format string, args ...any) {
		begin := threadTime()
		say(format, args...)
		took(begin - threadTime())
	}
}

// measure begins to measure the processor time of the calling goroutine, which stays on its thread
// until the function that it returns is called; that passes the time on.
func measure(took func(time.Duration)) (end func()) {
	runtime.LockOSThread()
	begin := threadTime()
	return func() {
		took(threadTime() - begin)
		runtime.UnlockOSThread()
	}
}

// threadTime is the processor time of this thread, 0 if the kernel does not return it.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

//go:build linux

package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// signalInit runs when the guest is the debug shell: it sends PID 1 every signal but SIGINT, which
// stands for Ctrl-Alt-Del, and kills itself.
func signalInit() {
	sent := 0
	for sig := 1; sig <= 64; sig++ {
		if sig == int(unix.SIGINT) {
			continue
		}
		// The kernel itself refuses no signal to PID 1; what PID 1 does not handle never
		// reaches it.
		if err := unix.Kill(1, syscall.Signal(sig)); err != nil {
			say("signal %d: %v", sig, err)
			continue
		}
		sent++
	}
	orphans()
	say("sent %d signals to process 1 and go by SIGKILL", sent)
	_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
}

// orphans starts children that end after their parent.
func orphans() {
	for range 3 {
		_, err := syscall.ForkExec("/proc/self/exe", []string{"orphan"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			say("orphan: %v", err)
		}
	}
}

//go:build linux

package main

import (
	"bufio"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// shutdownProgram is what an init runs at its end.
const shutdownProgram = "/run/initramfs/shutdown"

// down executes the shutdown program, as an init that is process 1 does, after a line of input,
// with dirty pages of root.
func down(action string) error {
	for {
		if _, err := os.Stat(shutdownProgram); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	f, err := os.Create("/late")
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	if _, err := f.Write(buf); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := unix.Mlockall(unix.MCL_CURRENT); err != nil { // the root may be unreachable by then
		return err
	}
	say("ready to go down")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	for i := range buf {
		buf[i] = 'x'
	}
	if _, err := f.WriteAt(buf, 0); err != nil {
		return err
	}
	return &os.PathError{Op: "exec", Path: shutdownProgram, Err: unix.Exec(shutdownProgram, []string{"shutdown", action}, os.Environ())}
}

//go:build linux

package main

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// alone measures the agent's memory by ending the agent, and reports when the kernel drops the
// connection, which it does at the target's next message without a receiver. Root is written back
// and read-only before, because it is lost then.
func alone() error {
	unix.Sync()
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err != nil { // this program is on that disk
		return err
	}
	settled := func() int64 {
		_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
		time.Sleep(time.Second)
		n, err := available()
		if err != nil {
			return 0
		}
		return n
	}
	with := settled()
	// Either process restarts the other: both are stopped before the first is killed.
	n := eachAgent("@", func(pid int) error { return unix.Kill(pid, unix.SIGSTOP) })
	for left := n; left > 0; time.Sleep(100 * time.Millisecond) {
		left = eachAgent("@", func(pid int) error { return unix.Kill(pid, unix.SIGKILL) })
	}
	without := settled()
	say("alone: %d agents ended, they had %d KiB", n, (without-with)>>10)
	for {
		b, err := os.ReadFile("/sys/class/iscsi_connection/connection1:0/state")
		if err != nil {
			return err
		}
		if state := strings.TrimSpace(string(b)); state != "up" {
			say("alone: the connection is %s", state)
		}
		time.Sleep(time.Second) // without end: the kernel itself does not switch off without that disk
	}
}

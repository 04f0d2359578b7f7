//go:build linux

package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// showLog prints the number of lines of iscsiroot in the kernel's log, and of notes about dropped
// lines.
func showLog() error {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/kmsg", Err: err}
	}
	ours, dropped := 0, 0
	buf := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EPIPE {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		_, text, _ := strings.Cut(string(buf[:n]), ";")
		if strings.HasPrefix(text, "iscsiroot: ") {
			ours++
		}
		if strings.Contains(text, "output lines suppressed") {
			dropped++
		}
	}
	say("log: %d lines of iscsiroot, %d notes of dropped lines", ours, dropped)
	return unix.Close(fd)
}

//go:build linux

package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hunt searches a text in /proc, the kernel's log, /run and the attributes in sysfs, and prints
// where it is found. The text is given with its bytes reversed, so that the command itself is not
// found.
func hunt(reversed string) error {
	text := []byte(reversed)
	for i, j := 0, len(text)-1; i < j; i, j = i+1, j-1 {
		text[i], text[j] = text[j], text[i]
	}
	var files []string
	for _, pattern := range []string{"/proc/cmdline", "/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/task/*/comm"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	err := filepath.WalkDir("/run", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, path := range files {
		// A process may have ended meanwhile.
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, text) {
			say("hunt: found in %s", path)
		}
	}
	if err := huntLog(text); err != nil {
		return err
	}
	say("hunt: %d files and the log were read", len(files))
	return nil
}

// huntLog searches the kernel's log, which has init's lines too.
func huntLog(text []byte) error {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/kmsg", Err: err}
	}
	buf := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EPIPE {
			continue
		}
		if err != nil || n <= 0 {
			return unix.Close(fd)
		}
		if bytes.Contains(buf[:n], text) {
			_, line, _ := strings.Cut(string(buf[:n]), ";")
			say("hunt: found in the log: %.24q", line)
		}
	}
}

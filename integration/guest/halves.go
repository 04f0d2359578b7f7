//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// halves waits until the agent's supervisor and its worker run.
func halves() error {
	for range 600 {
		n := 0
		for _, name := range []string{"@iscsiroot", "@iscsiroot-agent"} {
			n += eachAgent(name, running)
		}
		if n == 2 {
			say("both halves run")
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("not both halves run")
}

// running is an error for a process that is stopped or has ended (proc(5), /proc/pid/stat).
func running(pid int) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	if strings.HasPrefix(rest, "T") || strings.HasPrefix(rest, "Z") {
		return errors.New("does not run")
	}
	return nil
}

// fill writes to a directory until its file system is full; empty makes room again.
func fill(dir string) error {
	f, err := os.Create(filepath.Join(dir, "filled"))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return err
	}
	say("%s is full", dir)
	return nil
}

func empty(dir string) error { return os.Remove(filepath.Join(dir, "filled")) }

//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
)

func writeSynced(path string, b []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// showAgent prints the agent's processes with their memory, and its files in /run.
func showAgent() error {
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(b), "@iscsiroot") {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err != nil {
			return err
		}
		for line := range strings.SplitSeq(string(status), "\n") {
			if strings.HasPrefix(line, "Vm") || strings.HasPrefix(line, "Rss") {
				say("agent %s: %s", strings.TrimRight(string(b), "\x00"), line)
			}
		}
		// Documentation/scheduler/sched-stats.rst: time on the processor in ns first
		if b2, err := os.ReadFile(filepath.Join(filepath.Dir(path), "schedstat")); err == nil {
			ns, _, _ := strings.Cut(string(b2), " ")
			say("agent %s: took %s ns of processor time", strings.TrimRight(string(b), "\x00"), ns)
		}
	}
	return show("status: ", "/run/iscsiroot/status")
}

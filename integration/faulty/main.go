//go:build linux

// Command faulty is /init with faults for tests: rd.iscsiroot.fault= on the command line selects
// one.
package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

func main() {
	roles := map[string]func() error{runstate.FirstName: agent.Boot, runstate.SupervisorName: agent.Supervise, runstate.WorkerName: agent.Work}
	if role := roles[os.Args[0]]; role != nil {
		kmsg.Open(kmsg.SystemPaths()).Errorf("agent: %v", role())
		os.Exit(1)
	}
	mountStray()
	boot.Main(boot.Options{Edit: addFault})
}

// mountStray makes mounts as another initrd might leave them: a noexec /run, a /dev without nodes,
// /proc twice.
func mountStray() {
	_ = os.MkdirAll("/proc", 0o755)
	_ = unix.Mount("proc", "/proc", "proc", 0, "")
	line, _ := os.ReadFile("/proc/cmdline")
	if !strings.Contains(string(line), "fault=mounts") {
		return
	}
	for _, dir := range []string{"/run", "/dev"} {
		_ = os.MkdirAll(dir, 0o755)
		_ = unix.Mount("mountStray", dir, "tmpfs", unix.MS_NOEXEC, "mode=0700")
	}
	_ = unix.Mount("proc", "/proc", "proc", 0, "")
}

func addFault(_ *boot.Machine, steps []sequence.Step) []sequence.Step {
	line, _ := os.ReadFile("/proc/cmdline")
	fault := func(context.Context) error { return nil }
	switch {
	case strings.Contains(string(line), "fault=step"):
		fault = func(context.Context) error { panic("a bug in a step") }
	case strings.Contains(string(line), "fault=race"):
		fault = race
	case strings.Contains(string(line), "fault=agent"):
		for i, s := range steps {
			if s.Name == "hand-over" {
				steps[i].Run = func(ctx context.Context) error {
					killAgent()
					return s.Run(ctx)
				}
			}
		}
	case strings.Contains(string(line), "fault=clock"):
		fault = jump
	case strings.Contains(string(line), "fault=goroutine"):
		fault = func(context.Context) error {
			go func() { panic("a bug in a goroutine") }()
			time.Sleep(time.Hour)
			return nil
		}
	}
	return append([]sequence.Step{{Name: "fault", Run: fault}}, steps...)
}

// killAgent kills the agent's first worker.
func killAgent() {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(b), runstate.FirstName) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// race increments a variable in two goroutines without synchronisation.
func race(context.Context) error {
	n := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		n++
	}()
	n++
	<-done
	return nil
}

// jump sets the clock back and forth for as long as the machine boots, as time servers do to a
// machine without a clock of its own.
func jump(context.Context) error {
	go func() {
		for year := int64(0); ; year = (year + 37) % 60 {
			_ = unix.Settimeofday(&unix.Timeval{Sec: year * 365 * 86400})
			time.Sleep(500 * time.Millisecond)
		}
	}()
	return nil
}

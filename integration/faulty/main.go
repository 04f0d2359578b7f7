//go:build linux

// Command faulty is /init with bugs, for the tests that look at what happens
// then: rd.iscsiroot.fault= on the command line chooses one.
package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot"
)

func main() {
	boot.Main(boot.Options{Edit: addFault})
}

func addFault(_ *boot.Machine, steps []boot.Step) []boot.Step {
	line, _ := os.ReadFile("/proc/cmdline")
	fault := func(context.Context) error { return nil }
	switch {
	case strings.Contains(string(line), "fault=step"):
		fault = func(context.Context) error { panic("a bug in a step") }
	case strings.Contains(string(line), "fault=goroutine"):
		fault = func(context.Context) error {
			go func() { panic("a bug in a goroutine") }()
			time.Sleep(time.Hour)
			return nil
		}
	}
	return append([]boot.Step{{Name: "fault", Run: fault}}, steps...)
}

package main

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/outfile"
)

// A command that hangs has what it registered taken back, and ends within a second; the second
// signal ends it immediately.
func TestHangingCommand(t *testing.T) {
	for _, c := range []struct {
		name            string
		registers, hang bool
		signals         []os.Signal
		status          int
		undone          bool
		most            time.Duration
	}{
		{"nothing to take back", false, true, []os.Signal{syscall.SIGINT}, 130, false, 0},
		{"hangs", true, true, []os.Signal{syscall.SIGTERM}, 143, true, tidyTime},
		{"second signal", true, true, []os.Signal{syscall.SIGINT, syscall.SIGTERM}, 130, false, 0},
		{"tidies up", true, false, []os.Signal{syscall.SIGHUP}, 129, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, end, began := make(chan os.Signal, 2), make(chan bool), time.Now()
				undone := false
				status := interruptible(signals, func(ctx context.Context) int {
					if c.registers {
						if _, err := outfile.Register(ctx, func() { undone = true }); err != nil {
							t.Error(err)
						}
					}
					for _, s := range c.signals {
						signals <- s
					}
					if c.hang {
						<-end
					} else {
						<-ctx.Done()
					}
					return 1
				})
				if took := time.Since(began); status != c.status || undone != c.undone || took > c.most {
					t.Errorf("status %d, taken back %v, after %v", status, undone, took)
				}
				close(end)
			})
		})
	}
}

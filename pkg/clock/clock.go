//go:build linux

// Package clock reads the kernel's clock that a suspended machine does not stop, and sleeps until a
// context ends.
package clock

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// SinceBoot is the time since boot, time asleep included (CLOCK_BOOTTIME), which setting the time
// of day does not change. Leases and what stands below /run are dated by it. It is 0 if the clock
// cannot be read, which no kernel since 2.6.39 does.
func SinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Sleep sleeps for d. If ctx ends first it returns ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

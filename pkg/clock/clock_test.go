//go:build linux

package clock

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// It is the clock of /proc/uptime, which the kernel rounds down to 10 ms (fs/proc/uptime.c).
func TestSinceBoot(t *testing.T) {
	before := SinceBoot()
	b, err := os.ReadFile("/proc/uptime")
	after := SinceBoot()
	if err != nil {
		t.Fatal(err)
	}
	s, err := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
	uptime := time.Duration(s * float64(time.Second))
	if err != nil || uptime < before-20*time.Millisecond || uptime > after+20*time.Millisecond {
		t.Errorf("%v, not between %v and %v: %v", uptime, before, after, err)
	}
}

// It sleeps the whole time, or until its context ends.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := Sleep(t.Context(), time.Hour); err != nil || time.Since(began) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = time.Now()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

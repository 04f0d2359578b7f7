package calls_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
)

// A system call that does not return is left with its step. A later attempt waits for it, and does
// not begin another one.
func TestCallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls.Set
		var begun atomic.Int32
		call := func() error {
			begun.Add(1)
			time.Sleep(time.Minute)
			return unix.EIO
		}
		for _, tt := range []struct {
			limit, took time.Duration
			text        string
		}{
			{20 * time.Second, 20 * time.Second, "probe of sda: no answer: context deadline exceeded"},
			{20 * time.Second, 20 * time.Second, "probe of sda: no answer: context deadline exceeded"},
			{time.Hour, 20 * time.Second, unix.EIO.Error()}, // of the first one
		} {
			ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
			began := time.Now()
			err := c.Once(ctx, 7, "probe of sda", call)
			if took := time.Since(began); took != tt.took || err == nil || err.Error() != tt.text || sequence.Retryable(err) != strings.Contains(tt.text, "answer") {
				t.Errorf("%v after %v, want %+v", err, took, tt)
			}
			if left := strings.Join(c.List(), ", "); begun.Load() != 1 || (left == "probe of sda") == errors.Is(err, unix.EIO) {
				t.Errorf("%d calls, left is %q", begun.Load(), left)
			}
			cancel()
			if err := c.Once(ctx, 7, "probe of sdb", call); !errors.Is(err, ctx.Err()) || begun.Load() != 1 {
				t.Errorf("%v, %d calls", err, begun.Load())
			}
		}
		if err := c.Once(t.Context(), 7, "a panic", func() error { panic("torn") }); !errors.As(err, new(*contain.PanicError)) {
			t.Error(err)
		}
	})
}

// A scan that a session's end alone can end is waited for: the caller closes the session.
func TestCallsOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls.Set
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for sid, took := range map[uint32]time.Duration{7: time.Minute, 8: time.Hour} {
			if err := c.Once(ctx, sid, fmt.Sprint("scan of session ", sid), func() error { time.Sleep(took); return nil }); err == nil {
				t.Error("it was not left")
			}
			if ctx.Err() == nil {
				t.Error("no end")
			}
			ctx = context.WithoutCancel(ctx)
			ctx, cancel = context.WithTimeout(ctx, time.Second)
			defer cancel()
		}
		began := time.Now()
		c.Wait(7)
		if took := time.Since(began); took < 50*time.Second || took > time.Minute {
			t.Errorf("waited %v", took)
		}
		time.Sleep(time.Hour) // until the other one ends
	})
}

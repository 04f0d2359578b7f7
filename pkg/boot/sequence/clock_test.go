package sequence

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The stopwatch stands still while the shell is open, and so does every deadline.
func TestStopwatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStopwatch()
		began := time.Now()
		ctx, cancel := w.withTimeout(t.Context(), 10*time.Second)
		defer cancel()
		child, cancelChild := context.WithTimeout(ctx, 9*time.Hour)
		defer cancelChild()
		time.Sleep(4 * time.Second)
		w.stop()
		late, cancelLate := w.withTimeout(t.Context(), 3*time.Second)
		defer cancelLate()
		time.Sleep(time.Hour)
		if ctx.Err() != nil || w.elapsed() != 4*time.Second {
			t.Errorf("%v after %v", ctx.Err(), w.elapsed())
		}
		w.resume()
		<-late.Done()
		if d := time.Since(began); d != time.Hour+7*time.Second {
			t.Errorf("a deadline made meanwhile was over after %v", d)
		}
		<-child.Done()
		if d := time.Since(began); d != time.Hour+10*time.Second || !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Errorf("over after %v: %v, %v", d, ctx.Err(), child.Err())
		}
		parent, cancelParent := context.WithCancel(t.Context())
		sub, cancelSub := w.withTimeout(parent, time.Hour)
		cancelParent()
		<-sub.Done()
		if !errors.Is(sub.Err(), context.Canceled) {
			t.Error(sub.Err())
		}
		cancelSub()
		if len(w.deadlines) != 2 {
			t.Errorf("%d deadlines", len(w.deadlines))
		}
	})
}

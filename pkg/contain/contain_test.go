package contain

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestCall(t *testing.T) {
	if err := Call("x", func() error { return io.EOF }); err != io.EOF {
		t.Errorf("error %v, want that of f", err)
	}
	err := Call("reading", func() error { panic("torn slice") })
	var p *PanicError
	if !errors.As(err, &p) || p.Where != "reading" || p.Value != "torn slice" {
		t.Fatalf("error %#v", err)
	}
	if !strings.Contains(p.Stack, "TestCall") {
		t.Errorf("the stack does not show where it was:\n%s", p.Stack)
	}
	if got, want := err.Error(), "internal error: panic in reading: torn slice"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if got, want := (&PanicError{Value: 7}).Error(), "internal error: panic: 7"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

// A panic in a goroutine becomes an error, and what waits for the goroutine goes on.
func TestGo(t *testing.T) {
	failed := make(chan error, 1)
	Go("a", func() { panic("b") }, func(err error) { failed <- err })
	var p *PanicError
	if err := <-failed; !errors.As(err, &p) {
		t.Errorf("error %v, want a *PanicError", err)
	}
	var all sync.WaitGroup
	all.Go(Func("c", func() { panic("d") }, nil))
	all.Go(Func("e", func() {}, func(err error) { t.Errorf("failed without a panic: %v", err) }))
	all.Wait()
}

// A call that does not return is left, and gives back what it gets later. Errors and panics come
// through.
func TestWithin(t *testing.T) {
	if err := Within(t.Context(), func() error { return nil }, nil); err != nil {
		t.Error(err)
	}
	if err := Within(t.Context(), func() error { return io.EOF }, nil); err != io.EOF {
		t.Error(err)
	}
	var p *PanicError
	if err := Within(t.Context(), func() error { panic("torn") }, nil); !errors.As(err, &p) {
		t.Error(err)
	}
	for _, failed := range []error{nil, io.EOF} {
		ctx, cancel := context.WithCancel(t.Context())
		release, given, ended := make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
		err := Within(ctx, func() error {
			defer close(ended)
			cancel()
			<-release
			return failed
		}, func() { given <- struct{}{} })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(release)
		<-ended
		if failed == nil {
			<-given
		}
		if err := Within(ctx, func() error { t.Error("called after the end"); return nil }, nil); err == nil {
			t.Error("no error after the end")
		}
		if len(given) > 0 {
			t.Error("given back what was not taken")
		}
	}
}

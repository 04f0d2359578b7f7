package blockdev

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if n, err := f.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" {
		t.Errorf("%d %q, %v", n, b, err)
	}
	if n, err := f.ReadAt(b, 8); n != 2 || err != io.EOF || string(b[:n]) != "89" {
		t.Errorf("%d %q, %v", n, b, err)
	}
	if size, err := f.Size(); size != 10 || err != nil {
		t.Error(size, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// An open that does not return is left, and what it opens later is closed.
func TestFileOpenIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release, opened := make(chan struct{}), make(chan *os.File, 1)
	_, err := openBy(ctx, "/dev/sdx", func(string) (*os.File, error) {
		cancel()
		<-release
		f, err := os.Open(os.DevNull)
		opened <- f
		return f, err
	})
	if !errors.Is(err, context.Canceled) || err.Error() != "open /dev/sdx: no answer: context canceled" {
		t.Fatal(err)
	}
	close(release)
	for f := <-opened; ; runtime.Gosched() {
		if _, err := f.Stat(); errors.Is(err, os.ErrClosed) {
			return
		}
	}
}

// silent is a disk that answers no READ until it is released.
type silent struct {
	file
	asked, release, written, closed chan struct{}
}

func (s *silent) ReadAt(b []byte, _ int64) (int, error) {
	close(s.asked)
	<-s.release
	b[0] = 1
	close(s.written)
	return len(b), nil
}

func (s *silent) Close() error { close(s.closed); return nil }

// A read that does not return is left, and its late result dropped.
func TestFileReadIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &silent{asked: make(chan struct{}), release: make(chan struct{}), written: make(chan struct{}), closed: make(chan struct{})}
	f := &File{ctx: ctx, path: "/dev/sdx", f: s}
	begun, ended := 0, 0
	f.Watch(func() func() { begun++; return func() { ended++ } })
	go func() {
		<-s.asked
		cancel()
	}()
	b := make([]byte, 1)
	n, err := f.ReadAt(b, 0)
	if n != 0 || !errors.Is(err, context.Canceled) || err.Error() != "read /dev/sdx: no answer: context canceled" {
		t.Error(n, err)
	}
	if begun != 1 || ended != 1 {
		t.Errorf("%d reads have begun, %d have ended", begun, ended)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	<-s.closed
	close(s.release)
	<-s.written
	if b[0] != 0 {
		t.Error("a late read has written")
	}
	if _, err := f.ReadAt(b, 0); !errors.Is(err, context.Canceled) { // asks nothing more
		t.Error(err)
	}
}

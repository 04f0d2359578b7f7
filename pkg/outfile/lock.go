package outfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// flock takes the exclusive lock of an open file. Without wait it is [syscall.EWOULDBLOCK] if
// another run has it.
func flock(f *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// isAt reports whether an open file is still the one of its name: another run may have removed it
// before it was locked.
func isAt(f *os.File) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(open, named)
}

// maxTries is how often LockDir makes a directory that another run removes.
const maxTries = 100

// LockDir waits until no other run has the lock file name in directory dir, which is made if it is
// not there. It calls waiting once if there is one. unlock removes the lock file, and the
// directories that LockDir has made if they are empty. A file system without flock(2) is an error.
func LockDir(ctx context.Context, dir, name string, waiting func()) (unlock func(), err error) {
	for tries := 0; ; tries++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		made, err := MkdirAll(ctx, dir)
		if errors.Is(err, fs.ErrNotExist) && tries < maxTries {
			continue // another run has removed a directory above it in between
		}
		if err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		if errors.Is(err, fs.ErrNotExist) && tries < maxTries {
			made.Keep()
			continue // another run has removed the directory in between
		}
		if err != nil {
			made.Remove()
			return nil, err
		}
		if err := awaitLock(ctx, f, waiting); err != nil {
			made.Remove()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if isAt(f) {
			return func() {
				os.Remove(f.Name()) // before it is unlocked, so that it is this run's
				f.Close()
				made.Remove()
			}, nil
		}
		f.Close()
		made.Keep()
		waiting = func() {} // called already, or there was no wait
	}
}

// awaitLock locks f, or closes it.
func awaitLock(ctx context.Context, f *os.File, waiting func()) error {
	err := flock(f, false)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		if err != nil {
			f.Close()
		}
		return err
	}
	waiting()
	locked := make(chan error, 1)
	go func() { locked <- flock(f, true) }() // until the other run ends
	select {
	case err = <-locked:
	case <-ctx.Done():
		go func() { // until the other run ends
			<-locked
			f.Close()
		}()
		return ctx.Err()
	}
	if err != nil {
		f.Close()
	}
	return err
}

package blockdev

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Opener opens a device by its path, with the context of its caller.
type Opener func(path string) (*File, error)

// File is a device that is open for reading. A target that answers no READ keeps the system call in
// the kernel, for minutes or without end: it is in a goroutine of its own, and is left there when
// the context of Open ends. Such a read does not delay an execve(2), because it waits killably
// (mm/filemap.c: filemap_update_page).
type File struct {
	ctx   context.Context
	path  string
	f     file
	begin func() (end func())
}

// file is what File needs of an *os.File, whose Close does not wait for a read: the descriptor is
// closed after it.
type file interface {
	io.ReaderAt
	io.Seeker
	io.Closer
}

// Open opens a device. The kernel may read the disk's partition table before it returns
// (block/bdev.c: blkdev_get_whole).
func Open(ctx context.Context, path string) (*File, error) { return openBy(ctx, path, os.Open) }

func openBy(ctx context.Context, path string, open func(string) (*os.File, error)) (*File, error) {
	var f *os.File
	call := func() (err error) {
		f, err = open(path)
		return err
	}
	if err := contain.Within(ctx, call, func() { _ = f.Close() }); err != nil {
		return nil, givenUp(ctx, "open", path, err)
	}
	return &File{ctx: ctx, path: path, f: f}, nil
}

// Watch has begin called when a read begins, and what it returns when the read ends or is left.
func (d *File) Watch(begin func() (end func())) { d.begin = begin }

// ReadAt implements io.ReaderAt.
func (d *File) ReadAt(b []byte, off int64) (n int, err error) {
	if d.begin != nil {
		defer d.begin()()
	}
	own, got := make([]byte, len(b)), 0 // a late read must not write to b
	err = contain.Within(d.ctx, func() (err error) {
		got, err = d.f.ReadAt(own, off)
		return err
	}, nil)
	if d.ctx.Err() != nil {
		return 0, givenUp(d.ctx, "read", d.path, d.ctx.Err())
	}
	return copy(b, own[:got]), err
}

// Size returns the device's size in bytes.
func (d *File) Size() (int64, error) { return d.f.Seek(0, io.SeekEnd) }

// Close does not wait for a read that was left.
func (d *File) Close() error { return d.f.Close() }

// givenUp adds to the error of a context what was left.
func givenUp(ctx context.Context, what, path string, err error) error {
	if ctx.Err() == nil || err != ctx.Err() {
		return err
	}
	return fmt.Errorf("%s %s: no answer: %w", what, path, err)
}

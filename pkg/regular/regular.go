// Package regular reads files of which nothing is known: opening a FIFO waits for a writer
// (fifo(7)), and a device may have no end.
package regular

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
)

// ErrNotRegular is the error of a FIFO, a device, a socket or a directory in place of a file.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge is the error of a file with more bytes than the caller takes.
var ErrTooLarge = errors.New("too large")

// Open opens a regular file, or what a symbolic link leads to, and returns its size in bytes. It
// looks before it opens: package fs cannot open without waiting.
func Open(fsys fs.FS, name string) (f fs.File, size int64, err error) {
	st, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, ErrNotRegular
	}
	f, err = fsys.Open(name)
	return f, st.Size(), err
}

// Read returns what is in a regular file, which may be limit bytes. A larger one is not read.
func Read(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, size, err := Open(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, ErrTooLarge
	}
	var b bytes.Buffer
	b.Grow(int(size) + bytes.MinRead)
	_, err = b.ReadFrom(io.LimitReader(f, limit+1)) // procfs and sysfs have no size, and a file may grow
	if err == nil && int64(b.Len()) > limit {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

//go:build unix

package initramfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// errNotRegular is of a path that leads to a FIFO, a device, a socket or a directory.
var errNotRegular = errors.New("not a regular file")

// OpenRegular opens a regular file for reading, or what a symbolic link leads to. Anything else is
// an error at once: open(2) of a FIFO waits for a writer without O_NONBLOCK, and a device such as
// /dev/zero has no end. What is opened is what was looked at. Errors do not name the file.
func OpenRegular(name string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if errors.Is(err, syscall.ENXIO) { // a socket, or a device without a driver
		return nil, nil, errNotRegular
	}
	if err != nil {
		return nil, nil, cause(err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, nil, cause(err)
	}
	return f, st, nil
}

// ReadRegular returns what is in a regular file, which may be limit bytes. Errors do not name the
// file.
func ReadRegular(name string, limit int64) ([]byte, error) {
	data, _, err := readRegular(name, limit)
	return data, err
}

// readRegular is ReadRegular, and returns the file's attributes.
func readRegular(name string, limit int64) ([]byte, fs.FileInfo, error) {
	f, st, err := OpenRegular(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if st.Size() > limit {
		return nil, nil, fmt.Errorf("larger than %d bytes", limit)
	}
	data := make([]byte, st.Size(), st.Size()+1)
	n, err := io.ReadFull(f, data)
	if err == nil { // files of procfs and sysfs have no size, and others grow
		var more []byte
		more, err = io.ReadAll(io.LimitReader(f, limit+1-int64(n)))
		data, n = append(data, more...), n+len(more)
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, nil, cause(err)
	case int64(n) > limit:
		return nil, nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return data[:n], st, nil
}

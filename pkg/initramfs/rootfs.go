//go:build linux

package initramfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// rootFS is a file system as the machine sees it whose root directory it is: what a symbolic link leads to, absolute or
// through "..", stays in it. RHEL's weak-updates are absolute links into the trees of other releases.
type rootFS string

// Open opens a file of the machine.
func (root rootFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	dir, err := unix.Open(string(root), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: string(root), Err: err}
	}
	defer unix.Close(dir)
	path := filepath.Join(string(root), name)
	// O_NONBLOCK: a FIFO does not stop it.
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(dir, name, &how)
	switch {
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM):
		return os.Open(path) // before Linux 5.6, or in a sandbox that does not know it
	case err != nil:
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// sub returns what is below a directory.
func (root rootFS) sub(dir string) (fs.FS, error) {
	rel, err := filepath.Rel(string(root), dir)
	if err != nil {
		return nil, err
	}
	return fs.Sub(root, filepath.ToSlash(rel))
}

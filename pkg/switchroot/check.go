package switchroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// DefaultInits are the programs tried if init= names none. The kernel would fall back to /bin/sh;
// this program does not, because that bypasses every password.
func DefaultInits() []string { return []string{"/sbin/init", "/etc/init", "/bin/init"} }

// InitError reports that root has no init that can run.
type InitError struct {
	Root string // the device, for the message: "/dev/sda2"
	Path string // in root
	Err  error
}

// Error implements error.
func (e *InitError) Error() string { return fmt.Sprintf("init %s on %s: %v", e.Path, e.Root, e.Err) }

// Unwrap returns the cause.
func (e *InitError) Unwrap() error { return e.Err }

// FindInit returns the first of inits that exists in the file system mounted at dir and that this
// machine can run. Paths and symbolic links are resolved inside dir. device names the file system
// in errors.
func FindInit(dir, device string, inits []string) (string, error) {
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer func() { _ = unix.Close(root) }()
	var first error
	for _, path := range inits {
		err := runnable(root, path, 0)
		if err == nil {
			return path, nil
		}
		if first == nil || errors.Is(first, fs.ErrNotExist) && !errors.Is(err, fs.ErrNotExist) {
			first = &InitError{device, path, err}
		}
	}
	return "", first
}

// maxInterpreters is the kernel's limit of interpreters that name interpreters (fs/exec.c:
// exec_binprm). The loader of a dynamic program does not count.
const maxInterpreters = 5

// runnable reports whether the kernel can execute path in root, and what it will need to do so.
func runnable(root int, path string, depth int) error {
	if depth > maxInterpreters {
		return errors.New("interpreter loop")
	}
	prog, err := inspect(root, path)
	switch {
	case err != nil || prog.interpreter == "":
		return err
	case prog.script:
		err = runnable(root, prog.interpreter, depth+1)
	default: // a loader is an ELF program, and its own interpreter is not used
		var loader program
		if loader, err = inspect(root, prog.interpreter); err == nil && loader.script {
			err = errNotProgram
		}
	}
	if err != nil {
		return fmt.Errorf("needs %s: %w", prog.interpreter, err)
	}
	return nil
}

// inspect opens a program and reads what it is.
func inspect(root int, path string) (program, error) {
	f, err := openIn(root, path)
	if err != nil {
		return program{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return program{}, err
	}
	switch {
	case !info.Mode().IsRegular():
		return program{}, errors.New("is not a file")
	case info.Mode()&0o111 == 0:
		return program{}, errors.New("not executable: run chmod 755 on it")
	}
	return readProgram(f, runtime.GOARCH)
}

// openIn opens a file as if root were "/": links to absolute paths stay inside.
func openIn(root int, path string) (*os.File, error) {
	fd, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOENT) {
		return nil, fs.ErrNotExist
	} else if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// MountPointError reports missing directories that the real system requires.
type MountPointError struct {
	Root    string
	Missing []string
	Err     error // why they could not be created
}

// Error implements error.
func (e *MountPointError) Error() string {
	return fmt.Sprintf("root %s has no directory %s to mount on: %v: create it", e.Root, strings.Join(e.Missing, ", "), e.Err)
}

// Unwrap returns the cause.
func (e *MountPointError) Unwrap() error { return e.Err }

// MountPoints returns which of the moved file systems have a directory in the root mounted at dir.
// Missing directories are created if the root can be written to. /run may be missing: old systems
// have none.
func MountPoints(dir, device string) ([]string, error) {
	var have []string
	missing := &MountPointError{Root: device}
	for _, m := range []string{"/dev", "/proc", "/sys", "/run"} {
		info, err := os.Lstat(filepath.Join(dir, m))
		if errors.Is(err, fs.ErrNotExist) {
			err = os.Mkdir(filepath.Join(dir, m), 0o755)
		} else if err == nil && !info.IsDir() {
			err = unix.ENOTDIR
		}
		switch {
		case err == nil:
			have = append(have, m)
		case m != "/run":
			missing.Missing, missing.Err = append(missing.Missing, m), underlying(err)
		}
	}
	if missing.Err != nil {
		return nil, missing
	}
	return have, nil
}

// underlying returns the error without the paths that the message names already.
func underlying(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

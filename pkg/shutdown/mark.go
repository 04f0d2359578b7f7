package shutdown

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// writeMark writes the mark file and returns the program's exit status.
func writeMark(m runstate.Mark, path string) int {
	if err := os.WriteFile(path, []byte(m.Format()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "iscsiroot:", err)
		return 1
	}
	return 0
}

// readMark reads the file, if there is one.
func readMark(path string) (runstate.Mark, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return runstate.Mark{}, false
	}
	m, err := runstate.ParseMark(string(b))
	return m, err == nil
}

// waitForMark returns when the file exists, of which inotify(7) notifies it.
func waitForMark(path string) (runstate.Mark, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return runstate.Mark{}, os.NewSyscallError("inotify_init1", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO); err != nil {
		return runstate.Mark{}, &os.PathError{Op: "watch", Path: filepath.Dir(path), Err: err}
	}
	buf := make([]byte, 4096)
	for {
		if m, ok := readMark(path); ok {
			return m, nil
		}
		if _, err := unix.Read(fd, buf); err != nil && err != unix.EINTR {
			return runstate.Mark{}, os.NewSyscallError("read", err)
		}
	}
}

package shutdown

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// begunWord among the arguments says that a shutdown has begun.
const begunWord = "begun"

// markFile tells how the machine is to end, for as long as the real system is
// on its way there.
const markFile = "/run/iscsiroot/shutdown"

// Mark is what is known of a shutdown that has begun.
type Mark struct {
	Action Action
	Limit  time.Duration // for how long a dead root disk may hold it up; 0: for ever
}

// parseMark reads a mark from its words, an action and a number of seconds.
func parseMark(words []string) (m Mark, ok bool) {
	for _, w := range words {
		if a := Action(w); slices.Contains([]Action{PowerOff, Reboot, Halt, Kexec}, a) {
			m.Action = a
		} else if n, err := strconv.ParseUint(w, 10, 31); err == nil {
			m.Limit = time.Duration(n) * time.Second
		}
	}
	return m, m.Action != ""
}

// write puts a mark into its file and returns the program's exit status.
func (m Mark) write(path string) int {
	text := fmt.Sprintf("%s %d\n", m.Action, int(m.Limit.Seconds()))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "iscsiroot:", err)
		return 1
	}
	return 0
}

// readMark reads the file, if there is one.
func readMark(path string) (Mark, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Mark{}, false
	}
	return parseMark(strings.Fields(string(b)))
}

// waitForMark returns when the file is there, which it hears of from the
// kernel.
func waitForMark(path string) (Mark, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return Mark{}, os.NewSyscallError("inotify_init1", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO); err != nil {
		return Mark{}, &os.PathError{Op: "watch", Path: filepath.Dir(path), Err: err}
	}
	buf := make([]byte, 4096)
	for {
		if m, ok := readMark(path); ok {
			return m, nil
		}
		if _, err := unix.Read(fd, buf); err != nil && err != unix.EINTR {
			return Mark{}, os.NewSyscallError("read", err)
		}
	}
}

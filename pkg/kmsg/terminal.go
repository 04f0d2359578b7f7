package kmsg

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal opens a terminal for writing without making it ours and without
// waiting for a modem. A serial port that has no hardware opens all the same
// and fails to tell its settings.
func openTerminal(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %s: no terminal: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

package status

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Print writes the state of this machine. Its error says what is wrong with it.
func Print(w io.Writer) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return fmt.Errorf("read clock: %w", err)
	}
	text, wrong := Report(System{Sys: "/sys", Run: "/run", Proc: "/proc", SinceBoot: time.Duration(now.Nano())})
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

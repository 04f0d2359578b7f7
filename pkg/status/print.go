package status

import (
	"errors"
	"io"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
)

// Print writes the state of this machine. Its error describes the faults.
func Print(w io.Writer) error {
	text, wrong := Report(System{Sys: "/sys", Run: "/run", Proc: "/proc", SinceBoot: clock.SinceBoot(), Maps: KernelMaps})
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

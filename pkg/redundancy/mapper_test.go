package redundancy

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// Device-mapper is opened only where there is a device of it.
func TestDeviceMapper(t *testing.T) {
	r := newRig(t, 1)
	opened := 0
	m := deviceMapper{r.dir + "/sys", func(func() error) (*dm.Control, error) { opened++; return nil, unix.EACCES }}
	ask := func(want error, times int) {
		t.Helper()
		_, tableErr := m.Table("vg-root")
		_, statusErr := m.Status("vg-root")
		_, infoErr := m.Info("vg-root")
		for _, err := range []error{tableErr, statusErr, infoErr} {
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		if opened != times {
			t.Errorf("opened %d times, want %d", opened, times)
		}
	}
	ask(unix.ENXIO, 0)
	r.device("sys/devices/virtual/block/dm-0", "dm-0")
	ask(unix.EACCES, 3)
}

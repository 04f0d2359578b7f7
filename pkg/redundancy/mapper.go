package redundancy

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// DeviceMapper returns device-mapper. It opens the control for each call: a machine may have none
// until later. Where sysfs, mounted on sys, has no device of it, it opens nothing: the kernel would
// have modprobe load the module, which hangs while its disk does not answer. The error is
// unix.ENXIO then, as of each device that does not exist.
func DeviceMapper(sys string) Maps { return deviceMapper{sys, dm.Open} }

type deviceMapper struct {
	sys  string
	open func(load func() error) (*dm.Control, error)
}

// Table implements Maps.
func (m deviceMapper) Table(name string) (t table.Table, err error) {
	err = m.with(name, func(c *dm.Control) (err error) { t, err = c.Table(name); return err })
	return t, err
}

// Status implements Maps.
func (m deviceMapper) Status(name string) (s []dm.Status, err error) {
	err = m.with(name, func(c *dm.Control) (err error) { s, err = c.Status(name); return err })
	return s, err
}

// Info implements Maps.
func (m deviceMapper) Info(name string) (i dm.Info, err error) {
	err = m.with(name, func(c *dm.Control) (err error) { i, err = c.Info(name); return err })
	return i, err
}

func (m deviceMapper) with(name string, f func(c *dm.Control) error) error {
	if all, _ := filepath.Glob(filepath.Join(m.sys, "class/block/dm-*")); len(all) == 0 { // the pattern is good
		return fmt.Errorf("look at dm device %s: %w", name, unix.ENXIO)
	}
	c, err := m.open(nil)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}

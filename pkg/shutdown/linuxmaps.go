package shutdown

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// Maps implements System.
func (l *linux) Maps() ([]string, error) {
	sessions := l.find()
	var out []string
	for _, d := range blockdev.Maps(l.sys) {
		if len(blockdev.Holders(l.sys, d.Name)) > 0 {
			continue
		}
		if slices.ContainsFunc(d.Disks(), func(disk *blockdev.Device) bool {
			return disk.LUN != nil && slices.ContainsFunc(sessions, func(s sessionHost) bool { return s.sid == disk.LUN.Session })
		}) {
			out = append(out, d.Map)
		}
	}
	return out, nil
}

// RemoveMap implements System. Below a root from which another process 1 runs all is in use.
func (l *linux) RemoveMap(name string) error {
	c, err := dm.Open(nil)
	if err == nil {
		err = c.Remove(name, 0)
		_ = c.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, unix.EBUSY) && len(l.kept) > 0 {
		return nil
	}
	return err
}

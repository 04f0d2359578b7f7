package shutdown

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
)

// Maps implements System.
func (l *linux) Maps() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(l.sys, "class/block/dm-*"))
	if err != nil {
		return nil, err
	}
	sessions := l.find()
	var out []string
	for _, path := range paths {
		holders, err := os.ReadDir(filepath.Join(path, "holders"))
		if err != nil || len(holders) > 0 {
			continue
		}
		d, err := blockdev.Read(l.sys, filepath.Base(path))
		if err != nil || d.Map == "" {
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

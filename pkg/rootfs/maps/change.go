package maps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// Join adds a path to a map, which is named as in device-mapper. One that has it already stays as
// it is. Paths whose disks are gone leave it: the kernel takes no table with them (drivers/md/
// dm-table.c: dm_get_device). unix.ENXIO: there is no such map. unix.EBUSY: the disk is in use.
func (m *Maps) Join(ctx context.Context, name string, p multipath.Path) error {
	return m.changed(ctx, name, func(have multipath.Map) multipath.Map {
		for _, old := range have.Paths() {
			if old.Disk == "" {
				have = have.Without(old.Number)
			}
		}
		return have.With(p)
	})
}

// Leave takes a path out of a map, by its number. The last one stays: a map has at least one.
func (m *Maps) Leave(ctx context.Context, name string, n table.Number) error {
	return m.changed(ctx, name, func(have multipath.Map) multipath.Map {
		if left := have.Without(n); len(left.Groups) > 0 {
			return left
		}
		return have
	})
}

// Regroup gives a map these paths, in groups by their access states. One that has them so already
// stays as it is.
func (m *Maps) Regroup(ctx context.Context, name string, paths []multipath.Path) error {
	return m.changed(ctx, name, func(have multipath.Map) multipath.Map { return have.Regroup(paths) })
}

func (m *Maps) changed(ctx context.Context, name string, to func(have multipath.Map) multipath.Map) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.blocking(ctx, "change of multipath map "+name)()
	c, err := m.Open()
	if err == nil {
		defer func() { _ = c.Close() }()
		err = m.change(c, name, to)
	}
	if err != nil {
		return fmt.Errorf("change multipath map %s: %w", name, err)
	}
	return nil
}

// change makes a map what to returns of what it is, with its paths as sysfs has them now. Those
// that have failed before are failed again: the kernel has no failed path in a new table
// (drivers/md/dm-mpath.c: alloc_pgpath).
func (m *Maps) change(c Mapper, name string, to func(have multipath.Map) multipath.Map) error {
	now, err := m.state(c, name)
	if err != nil {
		return err
	}
	next := to(now.values())
	t := next.Table()
	multipathOf(t).Queue = now.Queue
	if samePaths(now.table, t) {
		return nil
	}
	var option dm.Option
	if now.ReadOnly {
		option = dm.ReadOnly
	}
	if err := c.Load(name, t, option); err != nil {
		return err
	}
	err = c.Exchange([]dm.Change{{Name: name, Old: now.table, ReadOnly: now.ReadOnly}})
	for _, p := range now.Paths {
		if p.Failed && slices.ContainsFunc(next.Paths(), func(q multipath.Path) bool { return q.Number == p.Number }) {
			_, ferr := c.Message(name, 0, "fail_path "+p.Number.String())
			err = errors.Join(err, ferr)
		}
	}
	return err
}

// samePaths reports whether two tables have the same groups.
func samePaths(a, b table.Table) bool {
	x, y := multipathOf(a), multipathOf(b)
	return x != nil && y != nil && a.Sectors() == b.Sectors() && slices.EqualFunc(x.Groups, y.Groups, func(g, h table.PathGroup) bool {
		return slices.Equal(g.Paths, h.Paths)
	})
}

// multipathOf returns the target of a map's table; nil: it has another.
func multipathOf(t table.Table) *table.Multipath {
	if len(t) != 1 {
		return nil
	}
	m, _ := t[0].Target.(*table.Multipath)
	return m
}

// Message sends a message to a map, as "fail_path 8:16" (drivers/md/dm-mpath.c: multipath_message).
func (m *Maps) Message(name, text string) error {
	c, err := m.Open()
	if err != nil {
		return fmt.Errorf("multipath map %s: %w", name, err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Message(name, 0, text)
	return err
}

// Remove removes a map. I/O that still waits for a path fails. unix.EBUSY: it is in use, and stays
// as it was, with the I/O that waits.
func (m *Maps) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.Open()
	if err != nil {
		return fmt.Errorf("remove multipath map %s: %w", name, err)
	}
	defer func() { _ = c.Close() }()
	now, err := m.state(c, name)
	if err != nil {
		return fmt.Errorf("remove multipath map %s: %w", name, err)
	}
	if now.open { // before I/O of a mounted file system fails, which would wait
		return unix.EBUSY
	}
	if _, err = c.Message(name, 0, "fail_if_no_path"); err == nil {
		err = c.Remove(name, 0)
	}
	if err != nil && now.Queue {
		_, qerr := c.Message(name, 0, "queue_if_no_path")
		return errors.Join(err, qerr)
	}
	if err == nil {
		m.forget(name)
		_ = os.Remove(filepath.Join(m.Dev, "mapper", name))
	}
	return err
}

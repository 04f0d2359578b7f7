package shutdown

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// Above implements System.
func (l *linux) Above() ([]Above, error) {
	all := blockdev.Maps(l.sys)
	names, err := l.arrays().List()
	for _, name := range names {
		if d, err := blockdev.Read(l.sys, name); err == nil { // else it has just been stopped
			all = append(all, d)
		}
	}
	sessions := l.find()
	var out []Above
	for _, d := range all {
		if len(blockdev.Holders(l.sys, d.Name)) == 0 && standsOn(d, sessions) {
			out = append(out, above(d))
		}
	}
	return out, err
}

// standsOn reports whether a device stands on disks of some sessions.
func standsOn(d *blockdev.Device, sessions []sessionHost) bool {
	return slices.ContainsFunc(d.Disks(), func(disk *blockdev.Device) bool {
		return disk.LUN != nil && slices.ContainsFunc(sessions, func(s sessionHost) bool { return s.sid == disk.LUN.Session })
	})
}

// FailMaps implements System. A map whose disks are gone may have been on those of a session.
func (l *linux) FailMaps(all bool) (waited []string) {
	if len(blockdev.Maps(l.sys)) == 0 {
		return nil // there may be no device-mapper
	}
	list, _ := l.multipath.List() // without it there is none whose I/O could be made to fail
	sessions := l.find()
	for _, m := range list {
		ours := m.Gone() || slices.ContainsFunc(m.Paths, func(p maps.Path) bool {
			return slices.ContainsFunc(sessions, func(s sessionHost) bool { return s.sid == p.Session })
		})
		works := slices.ContainsFunc(m.Paths, func(p maps.Path) bool { return !p.Failed && p.Disk != "" })
		if !ours || !m.Queue || works && !all {
			continue
		}
		if err := l.multipath.Message(m.Name, "fail_if_no_path"); err == nil && !works {
			waited = append(waited, m.Name)
		}
	}
	return waited
}

// multipathMaps are this machine's.
func multipathMaps(sys string) *maps.Maps {
	return &maps.Maps{Sys: sys, Dev: "/dev", Open: func() (maps.Mapper, error) {
		c, err := dm.Open(nil)
		if err != nil {
			return nil, err // not a typed nil
		}
		return c, nil
	}}
}

func above(d *blockdev.Device) Above {
	if d.Kind == blockdev.KindMD {
		return Above{d.Name, true}
	}
	return Above{d.Map, false}
}

func (l *linux) arrays() array.Paths { return array.Paths{Sys: l.sys, Dev: "/dev"} }

// Remove implements System. Stopping an array marks it as clean.
func (l *linux) Remove(d Above) error {
	if d.Array {
		return l.inUse(l.arrays().Stop(d.Name))
	}
	return l.inUse(removeMap(d.Name))
}

// inUse returns the error of a removal. Below a root from which another process 1 runs all is in
// use: the kernel marks the arrays as clean there, also those below a volume, when nothing is
// written for a while.
func (l *linux) inUse(err error) error {
	l.mu.Lock()
	kept := len(l.kept) > 0
	l.mu.Unlock()
	if !kept || !errors.Is(err, unix.EBUSY) {
		return err
	}
	l.awaitClean()
	return nil
}

func removeMap(name string) error {
	c, err := dm.Open(nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return c.Remove(name, 0)
}

const (
	// cleanWait is longer than the 0.2 s after the last write after which the kernel marks an
	// array as clean (drivers/md/md.c: md_run, safemode_delay).
	cleanWait = time.Second
	// cleanEvery is short beside those 0.2 s.
	cleanEvery = 50 * time.Millisecond
)

// awaitClean waits until the arrays on the sessions' disks, to which nothing is written any more,
// are marked as clean, or cannot be.
func (l *linux) awaitClean() {
	for since := time.Now(); time.Since(since) < cleanWait && l.unclean(); time.Sleep(cleanEvery) {
	}
}

// unclean reports whether an array on the sessions' disks is not marked as clean.
func (l *linux) unclean() bool {
	names, _ := l.arrays().List()
	sessions := l.find()
	return slices.ContainsFunc(names, func(name string) bool {
		d, err := blockdev.Read(l.sys, name)
		if err != nil || !standsOn(d, sessions) {
			return false
		}
		s, err := l.arrays().State(name)
		return err == nil && slices.Contains([]string{"active", "active-idle", "write-pending"}, s.ArrayState)
	})
}

package shutdown

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
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
		if len(blockdev.Holders(l.sys, d.Name)) > 0 {
			continue
		}
		if slices.ContainsFunc(d.Disks(), func(disk *blockdev.Device) bool {
			return disk.LUN != nil && slices.ContainsFunc(sessions, func(s sessionHost) bool { return s.sid == disk.LUN.Session })
		}) {
			out = append(out, above(d))
		}
	}
	return out, err
}

func above(d *blockdev.Device) Above {
	if d.Kind == blockdev.KindMD {
		return Above{d.Name, true}
	}
	return Above{d.Map, false}
}

func (l *linux) arrays() array.Paths { return array.Paths{Sys: l.sys, Dev: "/dev"} }

// Remove implements System. Stopping an array marks it as clean. Below a root from which another
// process 1 runs all is in use: the kernel marks an array as clean there when nothing is written
// for a while.
func (l *linux) Remove(d Above) error {
	var err error
	if d.Array {
		err = l.arrays().Stop(d.Name)
	} else {
		err = removeMap(d.Name)
	}
	l.mu.Lock()
	kept := len(l.kept) > 0
	l.mu.Unlock()
	if !kept || !errors.Is(err, unix.EBUSY) {
		return err
	}
	if d.Array {
		l.awaitClean(d.Name)
	}
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

// awaitClean waits until an array to which nothing is written any more is marked as clean, or
// cannot be.
func (l *linux) awaitClean(name string) {
	for since := time.Now(); time.Since(since) < cleanWait; time.Sleep(cleanEvery) {
		s, err := l.arrays().State(name)
		if err != nil || !slices.Contains([]string{"active", "active-idle", "write-pending"}, s.ArrayState) {
			return
		}
	}
}

package legs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Mapper is device-mapper: *dm.Control.
type Mapper interface {
	Info(name string) (dm.Info, error)
	Table(name string) (table.Table, error)
	Status(name string) ([]dm.Status, error)
	Activate(name, uuid string, t table.Table, u dm.Udev, o dm.Option) (dm.Info, error)
	Load(name string, t table.Table, o dm.Option) error
	Clear(name string) error
	Resume(name string, u dm.Udev, o dm.Option) (dm.Info, error)
	Exchange(changes []dm.Change) error
	Remove(name string, o dm.Option) error
	Close() error
}

// Logger writes to the kernel's log.
type Logger interface {
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Refresher takes legs back. It is for one goroutine.
type Refresher struct {
	Sys, Dev string // the mount points of sysfs and devtmpfs
	// Locks is the directory of lvm2's locks as this process sees it, which is /run/lock/lvm of
	// the real system; none is taken where it does not exist.
	Locks string
	// Note is a file in memory that names the devices which are being changed, for Resume.
	Note string
	Open func() (Mapper, error)
	Log  Logger

	readFlags int             // of open(2), besides O_RDONLY
	told      map[string]bool // why legs are not taken back
}

// New returns the Refresher of this machine, with the kernel's file systems at their usual places.
func New(log Logger) *Refresher {
	return &Refresher{
		Sys: "/sys", Dev: "/dev", Locks: "/proc/1/root/run/lock/lvm", Note: runstate.Refreshing, Log: log, readFlags: unix.O_DIRECT,
		Open: func() (Mapper, error) {
			c, err := dm.Open(nil)
			if err != nil {
				return nil, err // not a Mapper that is a nil *dm.Control
			}
			return c, nil
		},
	}
}

// Refresh takes back the legs whose physical volumes are on the given disks, or on partitions of
// them, and so the linear and striped volumes that are members of md arrays. The disks are all that
// can be read now: those of sessions that are logged in. A read of another one would wait.
//
// After an error a later call may succeed: lvm2 has locked the group, or a disk cannot be read. A
// leg that cannot be taken back, because lvm2 has changed the group without it for example, is left
// alone, and what to do is logged once.
func (r *Refresher) Refresh(disks []*blockdev.Device) (changed bool, err error) {
	if all, _ := filepath.Glob(filepath.Join(r.Sys, "class/block/dm-*")); len(all) == 0 { // the pattern is good
		return false, nil // an open of device-mapper would load it
	}
	if err := r.Resume(); err != nil {
		return false, err
	}
	m, err := r.Open()
	if err != nil {
		return false, err
	}
	defer func() { _ = m.Close() }()
	s, err := r.scan(m, disks)
	errs := []error{err}
	for i := range s.groups {
		vg := s.groups[i].VG.Name
		work, err := s.back(&s.groups[i])
		moving, merr := s.moving(&s.groups[i])
		if err == nil && merr == nil && len(work)+len(moving) == 0 {
			continue
		}
		one, err := s.locked(vg, disks)
		changed = changed || one
		if err != nil {
			errs = append(errs, fmt.Errorf("volume group %s: %w", vg, err))
		}
	}
	return changed, errors.Join(errs...)
}

// locked looks at a group again while lvm2 cannot change it, takes its legs back, and has its
// volumes that stand on disks that have gone stand on the new ones.
func (s *scan) locked(vg string, disks []*blockdev.Device) (changed bool, err error) {
	release, err := lockGroup(s.Locks, vg)
	if err != nil {
		return false, err
	}
	defer release()
	if s, err = s.scan(s.m, disks); err != nil {
		return false, err
	}
	g, err := lvm.Find(s.groups, vg)
	if err != nil {
		return false, err
	}
	work, err := s.back(g)
	errs := []error{err}
	for _, w := range work {
		err := s.apply(w)
		changed = changed || err == nil
		errs = append(errs, err)
	}
	moving, err := s.moving(g)
	errs = append(errs, err)
	for _, d := range moving {
		err := s.move(d)
		changed = changed || err == nil
		errs = append(errs, err)
	}
	return changed, errors.Join(errs...)
}

// later returns an error after which a later call may succeed, and logs another one.
func (r *Refresher) later(err error) error {
	var read *os.PathError
	if errors.Is(err, unix.EWOULDBLOCK) || errors.As(err, &read) {
		return err
	}
	if text := err.Error(); !r.told[text] {
		if r.told == nil {
			r.told = map[string]bool{}
		}
		r.told[text] = true
		r.Log.Warnf("volumes: a leg is not taken back: %s", text)
	}
	return nil
}

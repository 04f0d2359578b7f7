package maps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// Maps makes multipath maps, and changes them. Its methods may be called from several goroutines.
type Maps struct {
	Sys, Dev string // the mount points of sysfs and devtmpfs
	// Load loads a module; nil: the modules are there.
	Load func(ctx context.Context, module string) error
	// Open opens device-mapper, whose module is loaded.
	Open func() (Mapper, error)
	// Blocking is called before system calls that may wait, and what it returns after them;
	// nil: nothing is.
	Blocking func(ctx context.Context, what string) (end func())

	mu sync.Mutex // guards changes of maps

	known sync.Mutex         // guards the rest; it is never held during a system call
	made  []*blockdev.Device // the maps that were made and not removed
	parts map[string]string  // the partitions that were made, by the kernel's name: those of their maps
}

// Made returns the maps that were made and not removed, in that order, as they were made.
func (m *Maps) Made() []*blockdev.Device {
	m.known.Lock()
	defer m.known.Unlock()
	return slices.Clone(m.made)
}

// note notes that a map was made.
func (m *Maps) note(d *blockdev.Device) {
	m.known.Lock()
	defer m.known.Unlock()
	m.made = append(slices.DeleteFunc(m.made, func(have *blockdev.Device) bool { return have.Map == d.Map }), d)
}

// forget forgets a map that was removed.
func (m *Maps) forget(name string) {
	m.known.Lock()
	defer m.known.Unlock()
	m.made = slices.DeleteFunc(m.made, func(d *blockdev.Device) bool {
		if d.Map == name {
			m.forgetParts(d.Name)
		}
		return d.Map == name
	})
}

// forgetParts forgets the partitions of a map, whose numbers the kernel gives to other devices. The
// caller holds known.
func (m *Maps) forgetParts(whole string) {
	maps.DeleteFunc(m.parts, func(_, of string) bool { return of == whole })
}

// WholeOf returns the kernel's name of the map of a partition that was made; "": there is none.
func (m *Maps) WholeOf(partition string) string {
	m.known.Lock()
	defer m.known.Unlock()
	return m.parts[partition]
}

// Mapper is device-mapper: *dm.Control.
type Mapper interface {
	Activate(name, uuid string, t table.Table, u dm.Udev, o dm.Option) (dm.Info, error)
	Load(name string, t table.Table, o dm.Option) error
	Exchange(changes []dm.Change) error
	Info(name string) (dm.Info, error)
	List() ([]dm.Entry, error)
	Message(name string, sector uint64, text string) (string, error)
	Remove(name string, o dm.Option) error
	Status(name string) ([]dm.Status, error)
	Table(name string) (table.Table, error)
	Close() error
}

// modules are what a map needs of the kernel.
var modules = [...]string{"dm_mod", "dm_multipath", "dm_service_time"}

// Make makes a map, whose I/O is queued while no path works, and a link to it as udev does. One
// that exists gets the paths that it does not have. unix.EBUSY: a path is in use.
func (m *Maps) Make(ctx context.Context, mp multipath.Map) (*blockdev.Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	missing := m.loadModules(ctx)
	n, err := m.make(ctx, mp)
	switch {
	case err != nil && missing != nil:
		err = &hinted{missing, "build the image with --storage multipath"}
	case errors.Is(err, unix.EBUSY):
		err = &hinted{err, "a disk is in use: reboot while all its targets can be reached"}
	}
	if err != nil {
		return nil, fmt.Errorf("multipath map %s: %w", mp.Name(), err)
	}
	d, err := m.deviceOf(n)
	if err == nil {
		m.note(d)
		err = m.link(d)
	}
	if err != nil {
		return nil, fmt.Errorf("multipath map %s: %w", mp.Name(), err)
	}
	return d, nil
}

// loadModules loads the modules. A driver may be built in: an error counts if the kernel makes no
// map.
func (m *Maps) loadModules(ctx context.Context) (missing error) {
	if m.Load == nil {
		return nil
	}
	for _, module := range modules {
		if err := m.Load(ctx, module); err != nil && missing == nil {
			missing = err
		}
	}
	return missing
}

func (m *Maps) make(ctx context.Context, mp multipath.Map) (table.Number, error) {
	defer m.blocking(ctx, "activation of multipath map "+mp.Name())()
	c, err := m.Open()
	if err != nil {
		return table.Number{}, err
	}
	defer func() { _ = c.Close() }()
	name := dm.Mangle(mp.Name())
	var option dm.Option
	for _, p := range mp.Paths() {
		if d, err := blockdev.Read(m.Sys, p.Disk); err == nil && d.ReadOnly {
			option = dm.ReadOnly // the kernel opens the paths as it opens the map
		}
	}
	info, err := c.Activate(name, dm.Mangle(mp.UUID()), mp.Table(), 0, option)
	if !errors.Is(err, unix.EEXIST) {
		return info.Number, err
	}
	if info, err = c.Info(name); err != nil || info.UUID != dm.Mangle(mp.UUID()) {
		return table.Number{}, errors.Join(err, unix.EEXIST)
	}
	return info.Number, m.change(c, name, func(have multipath.Map) multipath.Map {
		for _, p := range mp.Paths() {
			have = have.With(p)
		}
		return have
	})
}

// deviceOf returns the device of a number.
func (m *Maps) deviceOf(n table.Number) (*blockdev.Device, error) {
	link, err := os.Readlink(filepath.Join(m.Sys, "dev/block", n.String()))
	if err != nil {
		return nil, err
	}
	return blockdev.Read(m.Sys, filepath.Base(link))
}

// link makes the link that udev makes too.
func (m *Maps) link(d *blockdev.Device) error {
	path := filepath.Join(m.Dev, "mapper", d.Map)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink("../"+d.Name, path)
}

func (m *Maps) blocking(ctx context.Context, what string) (end func()) {
	if m.Blocking == nil {
		return func() {}
	}
	return m.Blocking(ctx, what)
}

// hinted is an error with what a person can do about it, see sequence.Hint.
type hinted struct {
	error
	hint string
}

// Unwrap returns the cause.
func (e *hinted) Unwrap() error { return e.error }

// Hint returns the advice.
func (e *hinted) Hint() string { return e.hint }

package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// Kernel is the kernel's part of the volumes: modules, and device-mapper.
type Kernel interface {
	Load(ctx context.Context, module string) error
	// Open opens device-mapper, whose module is loaded.
	Open(ctx context.Context) (Mapper, error)
}

// Mapper is device-mapper: *dm.Control.
type Mapper interface {
	Activate(name, uuid string, t table.Table, u dm.Udev, o dm.Option) (dm.Info, error)
	Info(name string) (dm.Info, error)
	TableText(name string) (string, error)
	Status(name string) ([]dm.Status, error)
	Remove(name string, o dm.Option) error
	Close() error
}

// Activate implements blockdev.Layer: it makes the devices of a volume, the lowest first, and a
// link to the last as udev does. What it has made is removed after an error.
func (l *Layer) Activate(ctx context.Context, a blockdev.Assembly) (devices []*blockdev.Device, err error) {
	p := a.Plan.(*assembly)
	if err := ctx.Err(); err != nil { // members that were not read any more seem to be missing
		return nil, err
	}
	c, err := l.Kernel.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("logical volume %s: %w", p.name, sequence.WithHint(err, "build the image with --storage lvm"))
	}
	defer func() { _ = c.Close() }()
	m, err := l.makeAll(ctx, c, p)
	if errors.Is(err, unix.EBUSY) { // a part of an old one, below others of it
		_ = l.removeAll(ctx, c, p)
		m, err = l.makeAll(ctx, c, p)
	}
	var d *blockdev.Device
	if err == nil {
		d, err = l.deviceOf(m.numbers[p.volumes[len(p.volumes)-1].Name])
	}
	if err == nil && p.unread && !l.hasContents(ctx, d) {
		m.undo()
		return nil, nil // not the one that is wanted
	}
	if err == nil {
		d.Parents, p.numbers = m.below, m.numbers
		err = errors.Join(l.link(d, "mapper/"+d.Map), l.link(d, p.name))
	}
	if err != nil {
		m.undo()
		return nil, fmt.Errorf("logical volume %s: %w", p.name, err)
	}
	return []*blockdev.Device{d}, nil
}

// hasContents reports whether a volume that only the kernel could read has the wanted superblock.
func (l *Layer) hasContents(ctx context.Context, d *blockdev.Device) bool {
	fsys, err := blockdev.ProbeDevice(ctx, filepath.Join(l.Dev, d.Name))
	return err == nil && l.Want.Match(fsys)
}

// makeAll makes the devices of a volume.
func (l *Layer) makeAll(ctx context.Context, c Mapper, p *assembly) (*making, error) {
	m := &making{layer: l, c: c, numbers: map[string]table.Number{}, readOnly: map[string]bool{}}
	for _, v := range p.volumes {
		if err := m.make(ctx, v); err != nil {
			m.undo()
			return m, err
		}
	}
	return m, nil
}

// making is the activation of one volume.
type making struct {
	layer   *Layer
	c       Mapper
	numbers map[string]table.Number // of the devices, by name
	made    []string                // that did not exist before
	below   []*blockdev.Device      // the physical volumes in use

	readOnly map[string]bool // the devices that cannot be written to, by name
}

// make makes one device.
func (m *making) make(ctx context.Context, v lvm.Volume) error {
	for _, name := range v.Modules {
		if err := m.layer.Kernel.Load(ctx, name); err != nil {
			return sequence.WithHint(err, "build the image with "+storageOption(v.Modules))
		}
	}
	readOnly := v.ReadOnly
	t, err := v.Table(func(ref lvm.Ref) (table.Number, bool) {
		if ref.PV == "" {
			n, ok := m.numbers[ref.Volume]
			readOnly = readOnly || m.readOnly[ref.Volume] && !ref.OnlyRead
			return n, ok
		}
		d := m.layer.places[ref.PV]
		if d == nil {
			return table.Number{}, false
		}
		readOnly = readOnly || d.ReadOnly // the kernel opens them as it opens the device
		if !d.In(m.below) {
			m.below = append(m.below, d)
		}
		return table.Number(d.Number), true
	})
	if err != nil {
		return err
	}
	n, err := m.activate(ctx, v, t, readOnly)
	if err != nil {
		return err
	}
	m.numbers[v.Name], m.readOnly[v.Name] = n, readOnly
	return m.checkPool(v)
}

// storageOption is the option of iscsiroot build that has the modules.
func storageOption(modules []string) string {
	if slices.Contains(modules, "dm_thin_pool") {
		return "--storage lvm-thin"
	}
	return "--storage lvm-raid"
}

// activate makes a device, or takes the one that an earlier search has made. One of the name with
// another table is left from a session that has ended.
func (m *making) activate(ctx context.Context, v lvm.Volume, t table.Table, readOnly bool) (table.Number, error) {
	defer sequence.Blocking(ctx, "activation of "+v.Name)()
	name := dm.Mangle(v.Name)
	if now, err := m.c.Info(name); err == nil {
		old, terr := m.c.TableText(name)
		if terr == nil && now.UUID == v.UUID && !now.Suspended && old == t.String() {
			return now.Number, nil
		}
		if err := m.c.Remove(name, 0); err != nil {
			return table.Number{}, err
		}
	}
	var udev dm.Udev
	if v.Hidden {
		udev = dm.Hidden
	}
	var option dm.Option
	if readOnly {
		option = dm.ReadOnly
	}
	info, err := m.c.Activate(name, v.UUID, t, udev, option)
	if err != nil {
		return table.Number{}, err
	}
	m.made = append(m.made, name)
	return info.Number, nil
}

// checkPool compares a thin pool with its metadata, before anything is made of it.
func (m *making) checkPool(v lvm.Volume) error {
	if v.Pool == nil {
		return nil
	}
	lines, err := m.c.Status(dm.Mangle(v.Name))
	if err != nil {
		return err
	}
	for _, s := range lines {
		if err := v.Pool.Check(s.Text); err != nil {
			return err
		}
	}
	if slices.Contains(m.made, dm.Mangle(v.Name)) {
		m.layer.Warnf("thin pool %s is activated, and thin_check was not run on its metadata: run it from another system if in doubt", v.Pool.Name)
		if v.Pool.Pending {
			m.layer.Warnf("thin pool %s: its last change was not finished: lvm finishes it in the real system, when it activates a volume of the pool", v.Pool.Name)
		}
	}
	return nil
}

// undo removes what was made, the last first.
func (m *making) undo() {
	defer func() { m.made = nil }()
	for _, name := range slices.Backward(m.made) {
		_ = m.c.Remove(name, 0) // one that stays is taken, or replaced, by the next search
	}
}

// deviceOf returns the device of a number.
func (l *Layer) deviceOf(n table.Number) (*blockdev.Device, error) {
	link, err := os.Readlink(filepath.Join(l.Sys, "dev/block", n.String()))
	if err != nil {
		return nil, err
	}
	return blockdev.Read(l.Sys, filepath.Base(link))
}

// link makes a link that udev makes too, so that the real system finds the name in the table of
// mounts that it would have used itself, and also has it without udev.
func (l *Layer) link(d *blockdev.Device, name string) error {
	path := filepath.Join(l.Dev, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink("../"+d.Name, path)
}

// Deactivate implements blockdev.Layer. Devices on which another volume stands too stay. It removes
// nothing more once ctx has ended.
func (l *Layer) Deactivate(ctx context.Context, a blockdev.Assembly) error {
	c, err := l.Kernel.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return l.removeAll(ctx, c, a.Plan.(*assembly))
}

// removeAll removes the devices of a volume, the top first.
func (l *Layer) removeAll(ctx context.Context, c Mapper, p *assembly) error {
	for i, v := range slices.Backward(p.volumes) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		top := i == len(p.volumes)-1
		switch err := c.Remove(dm.Mangle(v.Name), 0); {
		case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EBUSY) && !top:
		case err != nil:
			return err
		case top:
			_ = os.Remove(filepath.Join(l.Dev, "mapper", v.Name))
			_ = os.Remove(filepath.Join(l.Dev, p.name))
		}
	}
	return nil
}

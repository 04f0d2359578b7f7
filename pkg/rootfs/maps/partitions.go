package maps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// Partitions is the layer of the partitions of multipath maps: the kernel makes none on devices of
// device-mapper, so they are linear maps, as kpartx(8) makes them.
type Partitions struct {
	Maps *Maps
	// Open opens a device for reading until the search ends.
	Open blockdev.Opener
	// Temporary reports whether an error of a read may be temporary.
	Temporary func(error) bool
	Unread    []Unread // what could not be read, for a temporary reason
}

// Unread is a map whose table of partitions could not be read.
type Unread struct {
	Device *blockdev.Device
	Err    error
}

// Name implements blockdev.Layer.
func (*Partitions) Name() string { return "partitions of multipath maps" }

// Find implements blockdev.Layer: it returns each multipath map.
func (*Partitions) Find(_ context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	var out []blockdev.Assembly
	for _, d := range devices {
		if d.Kind == blockdev.KindMultipath {
			out = append(out, blockdev.Assembly{Name: d.Map, Members: []*blockdev.Device{d}, Plan: &parts{}})
		}
	}
	return out, nil
}

// parts is the Plan of a blockdev.Assembly: the names of the partitions that were made.
type parts struct{ names []string }

// Activate implements blockdev.Layer: it makes the partitions that are in the map's table, and
// links to them as udev does.
func (l *Partitions) Activate(ctx context.Context, a blockdev.Assembly) ([]*blockdev.Device, error) {
	whole := a.Members[0]
	if blockdev.HasMemberAtEnd(l.Open, filepath.Join(l.Maps.Dev, whole.Name)) {
		return nil, nil // they are those of the array, which cannot start while they hold the map
	}
	list, err := l.read(whole)
	switch {
	case errors.Is(err, blockdev.ErrNoTable):
		return nil, nil
	case err != nil && l.Temporary(err):
		l.Unread = append(l.Unread, Unread{whole, err})
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("partitions of %s: %w", whole.Map, err)
	}
	out, err := l.Maps.makePartitions(ctx, whole, list, a.Plan.(*parts))
	if errors.Is(err, errWhole) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", whole.Map, err)
	}
	return out, nil
}

// read reads the table of a map.
func (l *Partitions) read(d *blockdev.Device) ([]blockdev.Partition, error) {
	f, err := l.Open(filepath.Join(l.Maps.Dev, d.Name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return blockdev.ReadTable(f, max(d.SectorSize, table.SectorSize))
}

// Deactivate implements blockdev.Layer.
func (l *Partitions) Deactivate(ctx context.Context, a blockdev.Assembly) error {
	m := l.Maps
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.Open()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for _, name := range a.Plan.(*parts).names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.Remove(name, 0); err != nil && !errors.Is(err, unix.ENXIO) {
			return err
		}
		_ = os.Remove(filepath.Join(m.Dev, "mapper", name))
	}
	m.known.Lock()
	defer m.known.Unlock()
	m.forgetParts(a.Members[0].Name)
	return nil
}

// makePartitions makes the partitions of a map.
func (m *Maps) makePartitions(ctx context.Context, whole *blockdev.Device, list []blockdev.Partition, p *parts) (out []*blockdev.Device, err error) {
	defer m.blocking(ctx, "activation of the partitions of "+whole.Map)()
	m.mu.Lock()
	defer m.mu.Unlock()
	c, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	for i := range list {
		part := &list[i]
		part.Size = min(part.Size, whole.Size-part.Start) // block/partitions/core.c: blk_add_partition
		if part.Size < table.SectorSize {
			continue
		}
		n, name, err := makePartition(c, whole, part)
		if err != nil {
			return nil, err
		}
		p.names = append(p.names, name)
		d, err := m.deviceOf(n)
		if err == nil {
			err = m.link(d)
		}
		if err != nil {
			return nil, err
		}
		m.notePart(d.Name, whole.Name)
		d.Kind, d.Partition, d.Parents = blockdev.KindPartition, part, []*blockdev.Device{whole}
		out = append(out, d)
	}
	return out, nil
}

// notePart notes of which map a partition is, by the kernel's names.
func (m *Maps) notePart(part, whole string) {
	m.known.Lock()
	defer m.known.Unlock()
	if m.parts == nil {
		m.parts = map[string]string{}
	}
	m.parts[part] = whole
}

// errWhole is the error of a partition of a map that is in use as a whole: it is mounted, or a
// member of an array.
var errWhole = errors.New("in use as a whole")

// makePartition makes a partition, or takes the one that an earlier search has made. One with
// another table is of an earlier table of partitions.
func makePartition(c Mapper, whole *blockdev.Device, p *blockdev.Partition) (table.Number, string, error) {
	now, err := c.Info(dm.Mangle(whole.Map))
	if err != nil {
		return table.Number{}, "", err
	}
	id, _, _ := multipath.ParseUUID(now.UUID)
	name, uuid := dm.Mangle(multipath.PartitionName(whole.Map, p.Number)), dm.Mangle(multipath.PartitionUUID(id, p.Number))
	t := table.Table{{
		Length: uint64(p.Size) / table.SectorSize,
		Target: table.Linear{Dev: table.Number(whole.Number), Offset: uint64(p.Start) / table.SectorSize},
	}}
	if now, err := c.Info(name); err == nil {
		old, terr := c.Table(name)
		if terr == nil && now.UUID == uuid && !now.Suspended && old.String() == t.String() {
			return now.Number, name, nil
		}
		if err := c.Remove(name, 0); err != nil {
			return table.Number{}, "", err
		}
	}
	var option dm.Option
	if whole.ReadOnly {
		option = dm.ReadOnly
	}
	info, err := c.Activate(name, uuid, t, 0, option)
	if errors.Is(err, unix.EBUSY) { // drivers/md/dm.c: open_table_device
		err = errWhole
	}
	return info.Number, name, err
}

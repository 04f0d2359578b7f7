package legs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// scan is what a Refresh has found on the disks.
type scan struct {
	*Refresher
	m      Mapper
	groups []lvm.Group
	places map[lvm.ID]*blockdev.Device // the physical volumes
}

// scan reads the labels of disks and partitions. The error is of those that could not be read; what
// stands on them is missing in the result.
func (r *Refresher) scan(m Mapper, disks []*blockdev.Device) (*scan, error) {
	s := &scan{Refresher: r, m: m, places: map[lvm.ID]*blockdev.Device{}}
	var found []lvm.Found
	var errs []error
	for _, d := range r.devices(disks) {
		pv, err := r.label(d)
		var read *os.PathError
		switch {
		case err == nil:
			found = append(found, lvm.Found{Place: d.Name, PV: pv})
			s.places[pv.ID] = d
		case errors.As(err, &read):
			errs = append(errs, err)
		}
	}
	s.groups, _ = lvm.Assemble(found) // problems are returned by Plan, where a leg needs the group
	return s, errors.Join(errs...)
}

// devices returns the partitions of disks, and the disks that have none. Those that have gone are
// left out.
func (r *Refresher) devices(disks []*blockdev.Device) (out []*blockdev.Device) {
	for _, known := range disks {
		d, err := blockdev.Read(r.Sys, known.Name)
		if err != nil || d.Size == 0 || d.Map != "" && d.Kind != blockdev.KindMultipath || blockdev.PathOf(r.Sys, d.Name) != nil {
			continue
		}
		parts, err := blockdev.Partitions(r.Sys, d)
		switch {
		case err != nil:
		case len(parts) > 0:
			out = append(out, parts...)
		default:
			out = append(out, d)
		}
	}
	return out
}

// errBelow is the error for a label that belongs to what is on a device, as a member of an array.
var errBelow = errors.New("not a physical volume itself")

// label reads a device's label and metadata.
func (r *Refresher) label(d *blockdev.Device) (lvm.PV, error) {
	f, err := r.open(d)
	if err != nil {
		return lvm.PV{}, err
	}
	defer func() { _ = f.Close() }()
	pv, err := lvm.ReadPV(f, d.Size)
	if err != nil {
		return pv, err
	}
	if fsys, perr := blockdev.Probe(f, d.Size); perr == nil && fsys.Type != "LVM2_member" {
		return pv, fmt.Errorf("%w: it holds %s", errBelow, fsys.Type)
	}
	return pv, errors.Join(pv.Damaged...)
}

func (r *Refresher) open(d *blockdev.Device) (blockdev.Direct, error) {
	f, err := os.OpenFile(filepath.Join(r.Dev, d.Name), os.O_RDONLY|r.readFlags, 0)
	return blockdev.Direct{File: f}, err
}

// superblock reads the superblock of a leg's metadata device, by the table that it has or will
// have.
func (s *scan) superblock(t table.Table) (table.RaidSuperblock, error) {
	var files []blockdev.Direct
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	var errs []error
	r, err := t.Reader(func(n table.Number) io.ReaderAt {
		for _, d := range s.places {
			if table.Number(d.Number) == n {
				f, err := s.open(d)
				if err == nil {
					files = append(files, f)
					return f
				}
				errs = append(errs, err)
			}
		}
		return nil
	})
	if err = errors.Join(append(errs, err)...); err != nil {
		return table.RaidSuperblock{}, err
	}
	b := make([]byte, table.RaidSuperblockLen)
	if _, err := r.ReadAt(b, 0); err != nil {
		return table.RaidSuperblock{}, err
	}
	return table.ParseRaidSuperblock(b)
}

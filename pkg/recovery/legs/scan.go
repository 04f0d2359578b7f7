package legs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

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
		if err != nil || d.Size == 0 || d.Map != "" {
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

// direct reads a device without the page cache, which does not know what the kernel's raids and
// lvm2 write past it.
type direct struct{ *os.File }

func (r *Refresher) open(d *blockdev.Device) (direct, error) {
	f, err := os.OpenFile(filepath.Join(r.Dev, d.Name), os.O_RDONLY|r.readFlags, 0)
	return direct{f}, err
}

// ReadAt implements io.ReaderAt: offset, length and memory of a read past the cache are multiples
// of the sector's size (open(2), O_DIRECT), which is at most 4096 bytes.
func (d direct) ReadAt(b []byte, off int64) (int, error) {
	const align = 4096
	skip := int(off % align)
	size := (skip + len(b) + align - 1) / align * align
	buf := make([]byte, size+align)
	buf = buf[align-int(uintptr(unsafe.Pointer(&buf[0]))%align):][:size]
	n, err := d.File.ReadAt(buf, off-int64(skip))
	n = copy(b, buf[min(skip, n):n])
	if n == len(b) {
		return n, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// superblock reads the superblock of a leg's metadata device, by the table that it has or will
// have.
func (s *scan) superblock(t table.Table) (table.RaidSuperblock, error) {
	var files []direct
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

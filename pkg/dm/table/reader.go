package table

import (
	"errors"
	"fmt"
	"io"
)

// ErrNotReadable is the error for a table whose contents only the kernel can read: that of a thin
// device, or a raid whose layout is not known here.
var ErrNotReadable = errors.New("its contents cannot be read without activation")

// Reader returns the contents that a device with this table has, so that a superblock can be looked
// at while no such device exists: the kernel writes to the members of a raid and to a pool when it
// activates them. open returns a device that the table refers to; nil: it does not exist.
//
// Of copies the first is read that is in sync by the table. The failed members in a raid's own
// superblocks are not read: the result is for a look only.
func (t Table) Reader(open func(Number) io.ReaderAt) (io.ReaderAt, error) {
	var out contents
	for _, l := range t {
		m, err := layoutOf(l.Target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Target.Type(), err)
		}
		p := piece{start: int64(l.Start) * SectorSize, length: int64(l.Length) * SectorSize, layout: m}
		for _, dev := range m.devices {
			var r io.ReaderAt
			if dev != nil {
				r = open(*dev)
			}
			p.open = append(p.open, r)
		}
		out = append(out, p)
	}
	return out, nil
}

// piece is a line of a table with its devices open.
type piece struct {
	start, length int64 // bytes
	layout
	open []io.ReaderAt
}

// layout tells where a target has its data.
type layout struct {
	devices []*Number // nil: missing
	offsets []int64   // bytes; nil: all 0
	// chunk is how many bytes lie together on one device; 0: all.
	chunk int64
	// find returns the places of a chunk, the best first: the index of the device, and the
	// number of the chunk on it.
	find func(chunk int64) []place
}

type place struct {
	device int
	chunk  int64
}

// contents is the lines of a table.
type contents []piece

// ReadAt implements io.ReaderAt.
func (r contents) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		p := r.at(off + int64(n))
		if p == nil {
			return n, io.EOF
		}
		done, err := p.read(b[n:], off+int64(n)-p.start)
		n += done
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (r contents) at(off int64) *piece {
	for i := range r {
		if off >= r[i].start && off < r[i].start+r[i].length {
			return &r[i]
		}
	}
	return nil
}

// read reads what lies together at off.
func (p *piece) read(b []byte, off int64) (int, error) {
	left := p.length - off
	chunk, within := int64(0), off
	if p.chunk > 0 {
		chunk, within = off/p.chunk, off%p.chunk
		left = min(left, p.chunk-within)
	}
	b = b[:min(left, int64(len(b)))]
	for _, at := range p.find(chunk) {
		if p.open[at.device] == nil {
			continue
		}
		begin := at.chunk*p.chunk + within
		if p.offsets != nil {
			begin += p.offsets[at.device]
		}
		n, err := p.open[at.device].ReadAt(b, begin)
		if n == len(b) {
			err = nil // io.EOF at the end of the device
		}
		return n, err
	}
	return 0, fmt.Errorf("chunk %d: %w", chunk, ErrNotReadable)
}

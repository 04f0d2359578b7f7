package md_test

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// deviceSize is that of the disks of scripts/md-testdata.
const deviceSize = 64 << 20

// superSector is where the superblock of a version is, on a device of so many bytes.
func superSector(minor int, size int64) int64 {
	switch minor {
	case 0:
		return (size/512 - 16) / 8 * 8
	case 1:
		return 0
	}
	return 8
}

// encode writes a superblock of version 1 for a device of so many bytes (super1.c).
func encode(s md.Superblock, size int64) []byte {
	le := binary.LittleEndian
	b := make([]byte, max(4096, 256+2*len(s.Roles)))
	le.PutUint32(b, 0xa92b4efc)
	le.PutUint32(b[4:], 1)
	le.PutUint32(b[8:], uint32(s.Features))
	copy(b[16:], s.Set[:])
	copy(b[32:64], s.Name)
	le.PutUint64(b[64:], s.Created|77<<40) // microseconds
	le.PutUint32(b[72:], uint32(s.Level))
	le.PutUint32(b[76:], s.Layout)
	le.PutUint64(b[80:], s.Sectors)
	le.PutUint32(b[88:], s.ChunkSectors)
	le.PutUint32(b[92:], uint32(s.Disks))
	le.PutUint32(b[112:], uint32(s.Delta))
	le.PutUint64(b[128:], s.DataOffset)
	le.PutUint64(b[136:], s.DataSectors)
	le.PutUint64(b[144:], uint64(superSector(s.Minor, size)))
	le.PutUint32(b[160:], s.Number)
	copy(b[168:], s.Device[:])
	le.PutUint64(b[200:], s.Events)
	if s.Clean {
		le.PutUint64(b[208:], math.MaxUint64)
	}
	le.PutUint32(b[220:], uint32(len(s.Roles)))
	for i, r := range s.Roles {
		le.PutUint16(b[256+2*i:], r)
	}
	mend(b)
	return b
}

// mend makes the checksum right.
func mend(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[216:], 0)
	n := 256 + 2*int64(le.Uint32(b[220:]))
	if n > int64(len(b)) {
		return
	}
	var sum uint64
	for i := int64(0); i < n; i += 4 {
		if i+4 > n {
			sum += uint64(le.Uint16(b[i:]))
			break
		}
		sum += uint64(le.Uint32(b[i:]))
	}
	le.PutUint32(b[216:], uint32(sum)+uint32(sum>>32))
}

// sparse is a device of which only parts are kept, by their first bytes; the rest reads as zeros.
type sparse struct {
	size  int64
	parts map[int64][]byte
}

func (s sparse) ReadAt(b []byte, at int64) (int, error) {
	if at >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), s.size-at))
	clear(b[:n])
	for start, part := range s.parts {
		from, to := max(at, start), min(at+int64(n), start+int64(len(part)))
		if from < to {
			copy(b[from-at:to-at], part[from-start:])
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// device is one with superblocks.
func device(size int64, all ...md.Superblock) sparse {
	d := sparse{size, map[int64][]byte{}}
	for _, s := range all {
		d.parts[superSector(s.Minor, size)*512] = encode(s, size)
	}
	return d
}

// partition is a part of a device, up to its end.
func (s sparse) partition(at int64) sparse {
	out := sparse{s.size - at, map[int64][]byte{}}
	for start, part := range s.parts {
		out.parts[start-at] = part
	}
	return out
}

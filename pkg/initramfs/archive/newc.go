package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	headerSize = 110  // struct of init/initramfs.c: parse_header reads 13 fields of 8 hexadecimal digits behind 6 bytes
	maxName    = 4096 // PATH_MAX, with the NUL; of a link's target too
	trailer    = "TRAILER!!!"
)

// source is where an archive is read from.
type source interface {
	io.Reader
	io.ByteScanner
}

// counted counts the bytes that are read, and returns an error at the end of the budget.
type counted struct {
	src  source
	left *budget
	pos  int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.pos += int64(n)
	if c.left.bytes -= int64(n); c.left.bytes < 0 {
		c.left.fail(LimitUnpacked, c.left.limits.Unpacked)
		return n, c.left.err
	}
	return n, err
}

// newc reads archives one behind the other, as they stand in one segment.
type newc struct {
	in      counted
	segment int
	single  bool // stop behind the first archive
	entries int
	ended   bool // an archive has
	header  [headerSize]byte
}

// each calls visit for all entries, of the first archive or of all up to a byte that is neither
// zero nor begins another one; that byte is not read. Data that visit does not read is skipped.
func (r *newc) each(visit func(Entry, io.Reader) error) error {
	for {
		more, err := r.nextEntry()
		if err != nil || !more {
			return err
		}
		if err := r.one(visit); err != nil {
			return err
		}
		if r.single && r.ended {
			return nil
		}
	}
}

// nextEntry skips zero bytes, which may stand before every entry (init/initramfs.c: do_reset), and
// reports whether one follows. The kernel requires it at a multiple of 4 bytes.
func (r *newc) nextEntry() (bool, error) {
	for {
		c, err := r.in.src.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case c == 0:
			r.in.pos++
			continue
		}
		if err := r.in.src.UnreadByte(); err != nil {
			return false, err
		}
		return c == '0' && r.in.pos%4 == 0, nil
	}
}

// one reads one entry.
func (r *newc) one(visit func(Entry, io.Reader) error) error {
	e, err := r.next()
	if err != nil {
		return err
	}
	// A link of that name is one, and an entry that is skipped is not (do_name).
	if e.Name == trailer && e.Odd == "" && e.Type() != TypeSymlink {
		r.ended = true
		r.in.left.trailers++
		return r.skip(e.Size)
	}
	if r.in.left.entries--; r.in.left.entries < 0 {
		r.in.left.fail(LimitEntries, int64(r.in.left.limits.Entries))
		return r.in.left.err
	}
	r.entries++
	r.in.left.entry++
	e.trailers, e.number = r.in.left.trailers, r.in.left.entry
	data := &io.LimitedReader{R: &r.in, N: e.Size}
	if err := visit(e, data); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, data); err != nil {
		return err
	}
	if data.N > 0 {
		return badf("cut off in the content of %q", e.Name)
	}
	return r.skip(0)
}

// next reads a header and the name behind it.
func (r *newc) next() (Entry, error) {
	if err := r.fill(r.header[:]); err != nil {
		return Entry{}, err
	}
	magic := string(r.header[:6])
	if magic != "070701" && magic != "070702" {
		return Entry{}, badf("no cpio header of the format newc at byte %d of the archive", r.in.pos-headerSize)
	}
	var f [13]uint32
	for i := range f {
		v, ok := hex8(r.header[6+8*i : 14+8*i])
		if !ok {
			return Entry{}, badf("field %d of the cpio header at byte %d of the archive is not a number", i+1, r.in.pos-headerSize)
		}
		f[i] = v
	}
	e := Entry{
		Ino: f[0], Mode: f[1], UID: f[2], GID: f[3], NLink: f[4], MTime: f[5], Size: int64(f[6]),
		Major: f[7], Minor: f[8], RMajor: f[9], RMinor: f[10], Segment: r.segment, Summed: magic == "070702", Sum: f[12],
	}
	if f[11] == 0 || f[11] > maxName {
		e.Odd = fmt.Sprintf("its name has %d bytes", f[11])
		return e, r.skip(int64(f[11]))
	}
	return e, r.name(&e, int(f[11]))
}

// name reads the name of an entry, and reports whether the kernel reads it (do_header).
func (r *newc) name(e *Entry, n int) error {
	name := make([]byte, n)
	if err := r.fill(name); err != nil {
		return err
	}
	i := bytes.IndexByte(name, 0)
	if name[n-1] != 0 {
		return badf("a name without an end")
	}
	e.Name = string(name[:i])
	switch t := e.Type(); {
	case t == TypeSymlink && e.Size > maxName:
		e.Odd = fmt.Sprintf("its target has %d bytes", e.Size)
	case t != TypeSymlink && t != TypeRegular && e.Size > 0:
		e.Odd = "it has content, and is not a regular file"
	}
	return r.skip(0)
}

// fill reads all of p.
func (r *newc) fill(p []byte) error {
	_, err := io.ReadFull(&r.in, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badf("cut off in a cpio header")
	}
	return err
}

// skip skips n bytes and the padding to a multiple of 4. The last archive of an image may end
// without padding.
func (r *newc) skip(n int64) error {
	n += -(r.in.pos + n) & 3
	_, err := io.CopyN(io.Discard, &r.in, n)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// hex8 reads a number of 8 hexadecimal digits.
func hex8(b []byte) (v uint32, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint32(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | uint32(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

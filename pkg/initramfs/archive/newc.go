package archive

import (
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
)

const (
	headerSize = 110  // struct of init/initramfs.c: parse_header reads 13 fields of 8 hexadecimal digits behind 6 bytes
	maxName    = 4096 // PATH_MAX, with the NUL
	maxTarget  = 4096 // of a symbolic link
	trailer    = "TRAILER!!!"
)

// source is where an archive is read from.
type source interface {
	io.Reader
	io.ByteScanner
}

// budget is what is left of the Limits.
type budget struct {
	bytes   int64
	entries int
}

// counted counts what is read, and ends where the budget does.
type counted struct {
	src  source
	left *budget
	pos  int64
}

var errTooLarge = errors.New("unpacked it is larger than the limit")

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.pos += int64(n)
	if c.left.bytes -= int64(n); c.left.bytes < 0 {
		return n, errTooLarge
	}
	return n, err
}

// newc reads archives one behind the other, as they stand in one segment.
type newc struct {
	in      counted
	segment int
	single  bool // stop behind the first archive
	entries int
	open    bool // entries came, and no trailer yet
	ended   int  // archives
	header  [headerSize]byte
}

// each calls visit for all entries, of the first archive or of all up to a byte that is neither
// zero nor begins another one; that byte is not read. Data that visit leaves is passed over.
func (r *newc) each(visit func(Entry, io.Reader) error) error {
	for {
		more, err := r.nextArchive()
		if err != nil || !more {
			return err
		}
		if err := r.one(visit); err != nil {
			return err
		}
		if r.single && r.ended > 0 {
			return nil
		}
	}
}

// nextArchive skips zero bytes and tells whether an entry follows. The kernel wants it at a
// multiple of 4 bytes.
func (r *newc) nextArchive() (bool, error) {
	for {
		c, err := r.in.src.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case c == 0 && !r.open:
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
	if e.Name == trailer {
		r.open = false
		r.ended++
		return r.skip(e.Size)
	}
	r.open = true
	if r.in.left.entries--; r.in.left.entries < 0 {
		return badf("more entries than the limit")
	}
	r.entries++
	name := e.Name
	e.Name, e.archive = clean(name), r.ended
	data := &io.LimitedReader{R: &r.in, N: e.Size}
	if err := visit(e, data); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, data); err != nil {
		return err
	}
	if data.N > 0 {
		return badf("cut off in the content of %q", name)
	}
	return r.skip(0)
}

// next reads a header and the name behind it.
func (r *newc) next() (Entry, error) {
	if err := r.fill(r.header[:]); err != nil {
		return Entry{}, err
	}
	// 070702 carries checksums, which nobody looks at.
	if magic := string(r.header[:6]); magic != "070701" && magic != "070702" {
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
	if f[11] == 0 || f[11] > maxName {
		return Entry{}, badf("a name of %d bytes", f[11])
	}
	name := make([]byte, f[11])
	if err := r.fill(name); err != nil {
		return Entry{}, err
	}
	i := bytes.IndexByte(name, 0)
	if i < 0 {
		return Entry{}, badf("a name without an end")
	}
	return Entry{
		Name: string(name[:i]), Ino: f[0], Mode: f[1], UID: f[2], GID: f[3], NLink: f[4], MTime: f[5], Size: int64(f[6]),
		Major: f[7], Minor: f[8], RMajor: f[9], RMinor: f[10], Segment: r.segment,
	}, r.skip(0)
}

// fill reads all of p.
func (r *newc) fill(p []byte) error {
	_, err := io.ReadFull(&r.in, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badf("cut off in a cpio header")
	}
	return err
}

// skip passes over n bytes and what it takes to a multiple of 4. The last archive of an image may
// end without padding.
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

// clean writes a name as a path below the root: above the root there is only the root.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

package archive

import (
	"errors"
	"io"
)

var errTaken = errors.New("a directory is there, and not empty")

// orTaken returns err, or an error that the name is in use.
func orTaken(err error) error {
	if err == nil {
		return errTaken
	}
	return err
}

// regular writes a regular file: a new one, or an existing one with all its names (do_name,
// do_copy).
func (t *Tree) regular(e Entry, data io.Reader) error {
	linked, lost, err := t.link(e)
	if lost || err != nil {
		return err
	}
	i, err := t.openFile(e)
	if err != nil {
		return err
	}
	if i == nil {
		return nil // it was reported
	}
	source, size := i.source, i.size
	i.Entry = e
	if !linked || e.Size > 0 { // else it is opened without O_TRUNC, and keeps what stands with another name
		source, size = e.number, e.Size
	}
	if source != i.source {
		i.source, i.size, i.data, i.loaded = source, size, nil, false
	}
	return t.content(i, e, data)
}

// openFile finds the file that an entry writes to, or makes it; nil if there is none.
func (t *Tree) openFile(e Entry) (*inode, error) {
	p, err := t.walk(e.Name, true)
	switch {
	case err != nil:
		t.lost(e, "%v", err)
		return nil, nil
	case p.node != nil && p.node.Type() == TypeRegular:
		return p.node.inode, nil
	case p.node != nil || p.dir == nil:
		t.lost(e, "%v", errTaken)
		return nil, nil
	case p.slash:
		t.lost(e, "%v", errNoDir)
		return nil, nil
	}
	i := &inode{Entry: e}
	return i, t.node(p, i)
}

// content reads what stands with an entry, keeps it if that is wanted, and checks its sum.
func (t *Tree) content(i *inode, e Entry, data io.Reader) error {
	sum := &summer{r: data}
	if t.keep && i.source == e.number {
		var err error
		if i.data, err = t.left.read(sum, e.Size); err != nil {
			return err
		}
		i.loaded = true
	} else if !e.Summed {
		return nil
	}
	if _, err := io.Copy(io.Discard, sum); err != nil {
		return err
	}
	if e.Summed && sum.n == e.Size && sum.sum != e.Sum {
		return badf("a wrong checksum of %q", e.Name)
	}
	return nil
}

// summer adds up bytes, as the format 070702 does.
type summer struct {
	r   io.Reader
	sum uint32
	n   int64
}

func (s *summer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	for _, c := range p[:n] {
		s.sum += uint32(c)
	}
	s.n += int64(n)
	return n, err
}

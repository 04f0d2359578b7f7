package archive

import (
	"errors"
	"io"
	"sync"
)

// ErrNotLoaded is of the content of a file that Index has left in the image. Settle loads it.
var ErrNotLoaded = errors.New("the content is still in the image")

// Content returns the content of a regular file, or the target of a symbolic link. For content that
// is not loaded it returns ErrNotLoaded and records the request for Settle. Several goroutines may
// call it at the same time, as all methods that do not change the tree.
func (t *Tree) Content(n *Node) ([]byte, error) {
	if n.size == 0 || n.loaded {
		return n.data, nil
	}
	t.wanted.Lock()
	defer t.wanted.Unlock()
	t.wanted.files[n.inode] = true
	return nil, ErrNotLoaded
}

// Unsettled reports whether content was requested that is not loaded: results since then are not
// valid.
func (t *Tree) Unsettled() bool {
	t.wanted.Lock()
	defer t.wanted.Unlock()
	return len(t.wanted.files) > 0
}

// Settle calls f until it requests no content that is not loaded; between the calls, the image is
// read again for the requested content. All of it has to fit into Limits.Memory.
func (t *Tree) Settle(f func()) error {
	for {
		if f(); !t.Unsettled() {
			return nil
		}
		sources := map[int]*inode{}
		for i := range t.wanted.files { // f has ended, and there are no other callers
			sources[i.source] = i
		}
		clear(t.wanted.files)
		if err := t.load(sources); err != nil {
			return err
		}
	}
}

// load reads the content of files, by the numbers of their entries. The image was read before, so
// that all entries exist, and the memory is allocated at once.
func (t *Tree) load(sources map[int]*inode) error {
	return t.again(func(e Entry, data io.Reader) error {
		if i := sources[e.number]; i != nil {
			if err := t.left.take(e.Size); err != nil {
				return err
			}
			i.data, i.loaded = make([]byte, e.Size), true
			if _, err := io.ReadFull(data, i.data); err != nil {
				return err
			}
			delete(sources, e.number)
		}
		if len(sources) == 0 {
			return errEnough
		}
		return nil
	})
}

// wanted are files whose content was requested and is not loaded.
type wanted struct {
	sync.Mutex // guards files; no other lock is taken under it
	files      map[*inode]bool
}

// Contents calls visit for each regular file that is not empty, once for all of its names, in the
// order of the image, with a reader of its content.
func (t *Tree) Contents(visit func(*Node, io.Reader) error) error {
	sources := map[int]*Node{}
	t.All(func(n *Node) bool {
		if n.Type() == TypeRegular && n.size > 0 && sources[n.source] == nil {
			sources[n.source] = n
		}
		return true
	})
	return t.again(func(e Entry, data io.Reader) error {
		if n := sources[e.number]; n != nil {
			return visit(n, data)
		}
		return nil
	})
}

// CopyTo writes the content of a regular file.
func (t *Tree) CopyTo(w io.Writer, n *Node) error {
	if n.size == 0 {
		return nil
	}
	return t.again(func(e Entry, data io.Reader) error {
		if e.number != n.source {
			return nil
		}
		if _, err := io.Copy(w, data); err != nil {
			return err
		}
		return errEnough
	})
}

// errEnough ends a walk through an image before its end.
var errEnough = errors.New("enough")

// again walks through the image once more.
func (t *Tree) again(visit func(Entry, io.Reader) error) error {
	left := newBudget(t.left.limits, t.left.memory)
	_, err := walk(t.image, left, visit)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// read reads size bytes, as far as there are, and takes the memory for them before.
func (b *budget) read(r io.Reader, size int64) ([]byte, error) {
	if err := b.take(size); err != nil {
		return nil, err
	}
	return readAll(io.LimitReader(r, size), size)
}

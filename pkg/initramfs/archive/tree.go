package archive

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// Node is one name in the file system that the kernel makes of an image.
type Node struct {
	Entry

	body *body
}

// body is the content of a file, which hard links share.
type body struct{ data []byte }

// Data returns the content of a regular file and the target of a symbolic link.
func (n *Node) Data() []byte {
	if n.body == nil {
		return nil
	}
	return n.body.data
}

// File is equal for the names of one file, and for nothing else.
func (n *Node) File() any { return n.body }

// IsDir tells whether the node is a directory.
func (n *Node) IsDir() bool { return n.Type() == TypeDir }

// Tree is what the kernel makes of an image.
type Tree struct {
	Segments []Segment
	// Lost are entries that the kernel leaves out, because the directory they belong in is not
	// there.
	Lost []string

	nodes    map[string]*Node
	children map[string]int    // of a directory, by its name
	links    map[linkKey]*body // of the archive that is read
	last     Entry
}

// linkKey tells the names of one file from other files (init/initramfs.c: struct hash).
type linkKey struct{ major, minor, ino, mode uint32 }

// maxLinks bounds the symbolic links on the way to a name, as the kernel does
// (include/linux/namei.h: MAXSYMLINKS).
const maxLinks = 40

// Read unpacks an image into memory. On an error the tree holds what came before it.
func Read(image []byte, l Limits) (*Tree, error) {
	t := &Tree{nodes: map[string]*Node{}, children: map[string]int{}}
	var err error
	t.Segments, err = Walk(image, l, t.put)
	return t, err
}

// put adds an entry as the kernel does: a file is made in a directory that exists, and replaces
// what was there, unless that is a directory with something in it.
func (t *Tree) put(e Entry, data io.Reader) error {
	if e.Segment != t.last.Segment || e.archive != t.last.archive || t.links == nil {
		t.links = map[linkKey]*body{}
	}
	t.last = e
	n := &Node{Entry: e}
	if e.Type() == TypeSymlink && e.Size > maxTarget {
		return badf("a symbolic link of %d bytes", e.Size)
	}
	if e.Type() == TypeSymlink || e.Type() == TypeRegular {
		text, err := io.ReadAll(data)
		if err != nil {
			return err
		}
		n.body = &body{text}
	}
	dir, ok := t.Resolve(path.Dir(e.Name))
	switch {
	case e.Name == ".":
	case !ok:
		t.Lost = append(t.Lost, e.Name)
	default:
		n.Name = path.Join(dir, path.Base(e.Name))
		t.place(n)
	}
	return nil
}

// place puts a node at its name.
func (t *Tree) place(n *Node) {
	old := t.nodes[n.Name]
	switch {
	case old == nil:
		t.children[path.Dir(n.Name)]++
	case old.IsDir() && !n.IsDir() && t.children[n.Name] > 0:
		t.Lost = append(t.Lost, n.Name)
		return
	}
	if n.Type() == TypeRegular && n.NLink > 1 {
		n.body = t.share(n)
	}
	t.nodes[n.Name] = n
}

// share gives the names of one file the same content, which stands with one of them.
func (t *Tree) share(n *Node) *body {
	key := linkKey{n.Major, n.Minor, n.Ino, n.Mode}
	first := t.links[key]
	switch {
	case first == nil:
		t.links[key] = n.body
		return n.body
	case len(n.body.data) > 0:
		first.data = n.body.data
	}
	return first
}

// Names returns all names, sorted.
func (t *Tree) Names() []string { return slices.Sorted(maps.Keys(t.nodes)) }

// Lookup returns the node of a name, a symbolic link as such; links on the way to it are followed.
func (t *Tree) Lookup(name string) (*Node, bool) {
	name = clean(name)
	if name == "." {
		return &Node{Entry: Entry{Name: ".", Mode: TypeDir | 0o755}}, true
	}
	dir, ok := t.Resolve(path.Dir(name))
	if !ok {
		return nil, false
	}
	n, ok := t.nodes[path.Join(dir, path.Base(name))]
	return n, ok
}

// ErrLoop is in the error of Follow about links that lead in a circle.
var ErrLoop = errors.New("too many symbolic links")

// Follow is Lookup, and follows the last link too.
func (t *Tree) Follow(name string) (*Node, error) {
	for range maxLinks {
		n, ok := t.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("%s: not in the image", name)
		}
		if n.Type() != TypeSymlink {
			return n, nil
		}
		name = target(n)
	}
	return nil, fmt.Errorf("%s: %w", name, ErrLoop)
}

// target returns where a link leads, as a path below the root.
func target(n *Node) string {
	to := string(n.Data())
	if !strings.HasPrefix(to, "/") {
		to = path.Join("/", path.Dir(n.Name), to)
	}
	return clean(to)
}

// Resolve returns the directory that a path stands for, with all links followed.
func (t *Tree) Resolve(dir string) (string, bool) {
	rest, at := strings.Split(clean(dir), "/"), "."
	for links := 0; len(rest) > 0; {
		name := path.Join(at, rest[0])
		rest = rest[1:]
		if name == "." {
			continue
		}
		n, ok := t.nodes[name]
		switch {
		case !ok:
			return "", false
		case n.IsDir():
			at = name
		case n.Type() != TypeSymlink || links == maxLinks:
			return "", false
		default:
			links++
			rest, at = append(strings.Split(target(n), "/"), rest...), "."
		}
	}
	return at, true
}

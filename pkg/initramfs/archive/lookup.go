package archive

import (
	"errors"
	"strings"
)

// maxLinks bounds the symbolic links on the way to a name, as the kernel does
// (include/linux/namei.h: MAXSYMLINKS), and maxBase a part of it in bytes (NAME_MAX).
const (
	maxLinks = 40
	maxBase  = 255
)

// What is wrong with a way to a name, as open(2) has it.
var (
	errNoDir   = errors.New("its directory is missing")
	errNotDir  = errors.New("what leads to it is not a directory")
	errNoName  = errors.New("it has no name")
	errTooLong = errors.New("a part of its name has more than 255 bytes")
)

// place is what a name stands for.
type place struct {
	dir   *Node  // the directory that it is in
	base  string // its name there; empty for the root, ".", and "..", which nothing can be made at
	node  *Node  // the node; nil if there is none
	slash bool   // a slash stands behind the name: it has to be a directory
}

// wayfarer goes along a name as the kernel does (fs/namei.c: link_path_walk): ".." is the directory
// above the one that was got to, through links too.
type wayfarer struct {
	t      *Tree
	at     *Node
	rest   []string // parts of the path that are left to look up, the next one last
	links  int
	follow bool // the last part too
	slash  bool
}

// walk finds the place of a name. The directory that it is in has to be there.
func (t *Tree) walk(name string, follow bool) (place, error) {
	if name == "" {
		return place{}, errNoName
	}
	w := &wayfarer{t: t, at: t.root, follow: follow}
	w.push(name)
	for {
		part, last := w.next()
		if !t.ready { // else the caller is not the image
			if err := t.left.step(1); err != nil {
				return place{}, err
			}
		}
		if len(part) > maxBase {
			return place{}, errTooLong
		}
		n := w.at.child(part)
		special := part == "" || part == "." || part == ".."
		switch {
		case last && special:
			return place{node: n, slash: w.slash}, nil
		case last && (n == nil || n.Type() != TypeSymlink || !w.follow && !w.slash):
			return w.end(part, n)
		case n == nil:
			return place{}, errNoDir
		case n.Type() == TypeSymlink:
			if err := w.link(n, last); err != nil {
				return place{}, err
			}
		case !n.IsDir():
			return place{}, errNotDir
		default:
			w.at = n
		}
	}
}

// end returns the place of the last part.
func (w *wayfarer) end(part string, n *Node) (place, error) {
	if n != nil && w.slash && !n.IsDir() {
		return place{}, errNotDir
	}
	return place{dir: w.at, base: part, node: n, slash: w.slash}, nil
}

// push puts a name, or the target of a link, before the parts that are left.
func (w *wayfarer) push(name string) {
	if strings.HasPrefix(name, "/") {
		w.at = w.t.root
	}
	if name = strings.TrimLeft(name, "/"); name != "" || len(w.rest) == 0 {
		w.rest = append(w.rest, name)
	}
}

// next returns the next part, and reports whether it is the last one.
func (w *wayfarer) next() (part string, last bool) {
	top := len(w.rest) - 1
	part, tail, slash := strings.Cut(w.rest[top], "/")
	if tail = strings.TrimLeft(tail, "/"); tail != "" {
		w.rest[top] = tail
		return part, false
	}
	w.rest = w.rest[:top]
	if top == 0 {
		w.slash = w.slash || slash
	}
	return part, top == 0
}

// link continues with the target of a link.
func (w *wayfarer) link(n *Node, last bool) error {
	if w.links++; w.links > maxLinks {
		return ErrLoop
	}
	if n.size == 0 {
		return errNoDir
	}
	w.follow = w.follow || last
	w.push(string(n.data))
	return nil
}

// child returns what stands at one part of a name.
func (n *Node) child(part string) *Node {
	switch part {
	case "", ".":
		return n
	case "..":
		return n.parent
	}
	return n.children[part]
}

package archive

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Node is one name in the file system that the kernel makes of an image.
type Node struct {
	Name string // as a path below the root, without a leading slash; "." is the root itself

	*inode

	parent   *Node
	depth    int
	children map[string]*Node // of a directory
}

// inode is a file, which has several names if there are hard links to it.
type inode struct {
	Entry // the last one that wrote to it

	size   int64 // of its content
	source int   // number of the entry that its content stands with, 0 without
	loaded bool
	data   []byte
}

// Data returns the content of a regular file, as far as it is kept, and the target of a symbolic
// link.
func (n *Node) Data() []byte { return n.data }

// Length returns how many bytes a file has, whether they are kept or not, or the target of a
// symbolic link.
func (n *Node) Length() int64 { return n.size }

// File is equal for the names of one file, and for nothing else.
func (n *Node) File() any { return n.inode }

// IsDir reports whether the node is a directory.
func (n *Node) IsDir() bool { return n.Type() == TypeDir }

// Tree is what the kernel makes of an image.
type Tree struct {
	Segments []Segment
	// Odd are entries that the kernel ignores, or for which it makes something else than their
	// name and type; the first MaxOdd.
	Odd []Odd
	// MoreOdd is how many more there are.
	MoreOdd int
	// RootSet is true if an entry sets owner, mode and time of the root directory.
	RootSet bool

	root   *Node
	image  []byte
	left   *budget
	keep   bool // content of files
	wanted wanted
	ready  bool               // all entries are in
	links  map[linkKey]string // first names of files of the archive that is read
	ended  int                // archives
	times  []dirTime
}

// MaxOdd bounds Tree.Odd.
const MaxOdd = 1000

// Odd is an entry that the kernel ignores, or for which it makes something else than its name and
// type.
type Odd struct {
	Entry int    // its number in the image, from 1
	Name  string // as it stands there
	Lost  bool   // nothing is made of it
	Why   string
}

// String describes the result of the entry.
func (o Odd) String() string {
	if o.Lost {
		return fmt.Sprintf("entry %d, %q: left out, as the kernel does: %s", o.Entry, o.Name, o.Why)
	}
	return fmt.Sprintf("entry %d, %q: %s", o.Entry, o.Name, o.Why)
}

// linkKey identifies a file that has several names (init/initramfs.c: find_link).
type linkKey struct{ major, minor, ino, kind uint32 }

// dirTime is when a directory was changed; it is set when all else is done (init/initramfs.c:
// dir_utime).
type dirTime struct {
	name  string
	mtime uint32
}

// Read unpacks an image into memory. On an error the tree holds what came before it.
func Read(image []byte, l Limits) (*Tree, error) { return readTree(image, l, true) }

// Index reads what is in an image, and no content of files but the targets of symbolic links. Load
// and Settle read content later, and Contents passes it on. The image must not change.
func Index(image []byte, l Limits) (*Tree, error) { return readTree(image, l, false) }

func readTree(image []byte, l Limits, keep bool) (*Tree, error) {
	root := &inode{Entry: Entry{Mode: TypeDir | 0o755}}
	t := &Tree{
		root: &Node{Name: ".", inode: root}, image: image, left: newBudget(l, l.Memory-int64(len(image))), keep: keep,
		wanted: wanted{files: map[*inode]bool{}}, links: map[linkKey]string{},
	}
	t.root.parent = t.root
	var err error
	t.Segments, err = walk(image, t.left, t.put)
	t.setTimes()
	t.links, t.times = nil, nil
	t.ready = true
	return t, err
}

// odd records an entry with a result other than its name and type; lost records an entry without a
// result.
func (t *Tree) odd(e Entry, format string, args ...any) {
	t.note(e, false, fmt.Sprintf(format, args...))
}

func (t *Tree) lost(e Entry, format string, args ...any) {
	t.note(e, true, fmt.Sprintf(format, args...))
}

func (t *Tree) note(e Entry, lost bool, why string) {
	if len(t.Odd) == MaxOdd {
		t.MoreOdd++
		return
	}
	t.Odd = append(t.Odd, Odd{e.number, e.Name, lost, why})
}

// All calls visit for all names but the root, sorted, a directory before what is in it, until it
// returns false.
func (t *Tree) All(visit func(*Node) bool) { t.root.below(visit) }

func (n *Node) below(visit func(*Node) bool) bool {
	for _, base := range slices.Sorted(maps.Keys(n.children)) {
		c := n.children[base]
		if !visit(c) || !c.below(visit) {
			return false
		}
	}
	return true
}

// Names returns all names but the root's, sorted.
func (t *Tree) Names() []string {
	var out []string
	t.All(func(n *Node) bool { out = append(out, n.Name); return true })
	slices.Sort(out)
	return out
}

// Lookup returns the node of a name, a symbolic link as such; links on the way to it are followed.
func (t *Tree) Lookup(name string) (*Node, bool) {
	p, err := t.walk("/"+name, false)
	return p.node, err == nil && p.node != nil
}

// ErrLoop is in the error of Follow about links that lead in a circle.
var ErrLoop = errors.New("too many symbolic links")

// Follow is Lookup, and follows the last link too.
func (t *Tree) Follow(name string) (*Node, error) {
	p, err := t.walk("/"+name, true)
	if errors.Is(err, ErrLoop) {
		return nil, fmt.Errorf("%s: %w", name, ErrLoop)
	}
	if err != nil || p.node == nil {
		return nil, fmt.Errorf("%s: not in the image", name)
	}
	return p.node, nil
}

// Resolve returns the directory that a path stands for, with all links followed.
func (t *Tree) Resolve(dir string) (string, bool) {
	n, err := t.Follow(dir)
	if err != nil || !n.IsDir() {
		return "", false
	}
	return n.Name, true
}

// node makes a name in a directory. Each takes memory for its path, so that directories within each
// other are bounded.
func (t *Tree) node(p place, i *inode) error {
	name := p.base
	if p.dir != t.root {
		name = p.dir.Name + "/" + p.base
	}
	const overhead = 400 // bytes: Node, inode, and a place in a map
	if err := errors.Join(t.left.take(overhead+int64(len(name))), t.left.step(p.dir.depth)); err != nil {
		return t.left.err
	}
	if p.dir.children == nil {
		p.dir.children = map[string]*Node{}
	}
	p.dir.children[p.base] = &Node{Name: name, inode: i, parent: p.dir, depth: p.dir.depth + 1}
	return nil
}

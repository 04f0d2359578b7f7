package initramfs

import (
	"path"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// below is an image of another builder, after which this one is appended.
type below struct {
	data []byte
	tree *archive.Tree
}

func openBelow(name string, l archive.Limits) (*below, error) {
	data, t, err := readTree(name, l)
	if err != nil {
		return nil, err
	}
	return &below{data, t}, nil
}

// strip leaves out of an image the directories that are there already, as such or behind a link:
// where lib is a link to usr/lib, a directory in its place would hide all that is in usr/lib.
func (b *below) strip(t tree) {
	for name, e := range t {
		if _, ok := b.tree.Resolve(name); ok && e.isDir() {
			delete(t, name)
		}
	}
}

// modules returns those modules of a tree that the other image holds, by name, with their paths
// there.
func (b *below) modules(base string, idx *kmod.Index) map[string]string {
	out := map[string]string{}
	for _, m := range idx.Modules() {
		plain := imagePath(m.Path)
		for _, suffix := range append([]string{""}, compressed...) {
			n, err := b.tree.Follow(path.Join(base, plain+suffix))
			if err == nil && n.Type() == archive.TypeRegular {
				out[m.Name] = plain + suffix
				break
			}
		}
	}
	return out
}

// has reports whether the other image, if there is one, holds a file.
func (b *below) has(name string) bool {
	if b == nil {
		return false
	}
	_, err := b.tree.Follow(name)
	return err == nil
}

// pad returns the zero bytes that make the other image end at a multiple of 512 bytes, as image
// builders do.
func (b *below) pad() string { return strings.Repeat("\x00", -len(b.data)&511) }

package images

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

// DebianDisk is a disk with the root of [DebianRoot] in partition 2, behind a small file system. It
// is made once and kept in the cache, under the name of the tree, which changes with the tree's
// content; path becomes a clone of it.
func DebianDisk(kind, path string) (*Disk, error) {
	d, err := debianDisk(kind)
	if err != nil {
		return nil, fmt.Errorf("make disk of debian %s: %w", kind, err)
	}
	return d.Clone(path)
}

// debianMiB is the size of a Debian's root.
const debianMiB = 1024

func debianDisk(kind string) (*Disk, error) {
	root, err := DebianRoot(kind)
	if err != nil {
		return nil, err
	}
	tree, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	dir, err := deps.CacheDir()
	if err != nil {
		return nil, err
	}
	systems := []Filesystem{
		{Type: "ext2", MiB: 4, Tree: Tree{"boot": Dir()}}, {MiB: debianMiB, Label: "root", Directory: tree},
	}
	d := &Disk{Path: filepath.Join(dir, "disks", kind+"-"+filepath.Base(filepath.Dir(tree)))}
	d.offsets, _ = layout(systems)
	if _, err := os.Stat(d.Path); err == nil {
		return d, nil
	}
	return d, deps.MakeOnce(d.Path, kind+"-*", func(path string) error {
		_, err := WriteDisk(path, systems...)
		return err
	})
}

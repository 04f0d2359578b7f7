package initramfs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/u-root/u-root/pkg/cpio"
)

// addOverlay puts what is in a directory on this host into the image, as root's. Links stay links.
func (t tree) addOverlay(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("add overlay %s: %w", dir, cause(err))
	}
	if !st.IsDir() {
		return fmt.Errorf("add overlay %s: not a directory", dir)
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("add overlay %s: %w", name, cause(err))
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || rel == "." {
			return err
		}
		if err := t.addFound(rel, name, d); err != nil {
			return fmt.Errorf("add overlay %s: %w", dir, err)
		}
		return nil
	})
}

// addFound puts one name of an overlay into the image.
func (t tree) addFound(rel, name string, d fs.DirEntry) error {
	switch d.Type() {
	case fs.ModeDir:
		st, err := d.Info()
		if err != nil {
			return cause(err)
		}
		if old, ok := t[rel]; ok && old.isDir() {
			return nil // the image's own, such as tmp, keep their permissions
		}
		return t.add(rel, entry{mode: cpio.S_IFDIR | uint64(st.Mode().Perm()), private: private(name)})
	case fs.ModeSymlink:
		to, err := os.Readlink(name)
		if err != nil {
			return cause(err)
		}
		return t.addFile(File{Path: rel, Mode: fs.ModeSymlink, Data: []byte(to)})
	case 0:
		return t.addFile(File{Path: rel, Source: name})
	}
	return fmt.Errorf("%s: neither a file, a directory nor a symbolic link", name)
}

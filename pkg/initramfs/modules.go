//go:build linux

package initramfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// addModules puts the modules that cfg asks for and an index of them into the image, and returns the kernel's release
// and the number of modules.
func (t tree) addModules(cfg Config) (release string, n int, err error) {
	release = cfg.KernelVersion
	if release == "" {
		if release, err = modload.Release(); err != nil {
			return "", 0, err
		}
	}
	root := cfg.Root
	if root == "" {
		root = "/"
	}
	dir, err := modload.Tree(root, release)
	if err != nil {
		return "", 0, err
	}
	idx, err := readIndex(dir, release)
	if err != nil {
		return "", 0, err
	}
	mods, err := selectModules(idx, cfg)
	if err != nil {
		return "", 0, fmt.Errorf("modules in %s: %w", dir, err)
	}
	return release, len(mods), t.addTree(path.Join("lib/modules", release), dir, idx, mods)
}

// readIndex reads the index of the tree at dir.
func readIndex(dir, release string) (*kmod.Index, error) {
	idx, err := kmod.Read(os.DirFS(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("modules in %s: there is no modules.dep: run depmod -b %s %s: %w",
			dir, releaseBase(dir), release, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("modules in %s: %w", dir, err)
	}
	return idx, nil
}

// addTree puts modules from dir and their index below base.
func (t tree) addTree(base, dir string, idx *kmod.Index, mods []kmod.Module) error {
	for _, m := range mods {
		name := plainPath(m.Path)
		if !strings.HasSuffix(name, ".ko") {
			return fmt.Errorf("module %s: neither .ko nor .ko with one of %s", filepath.Join(dir, m.Path), strings.Join(compressed, " "))
		}
		source := filepath.Join(dir, m.Path)
		if _, err := regularMode(source); err != nil {
			return err
		}
		if err := t.add(path.Join(base, name), entry{mode: cpio.S_IFREG | 0o644, data: moduleContent(source)}); err != nil {
			return err
		}
	}
	for _, f := range idx.Subset(mods, plainPath).Files() {
		if err := t.add(path.Join(base, f.Name), entry{mode: cpio.S_IFREG | 0o644, data: content(f.Data)}); err != nil {
			return err
		}
	}
	return nil
}

package initramfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	kernel "github.com/iscsiroot/iscsiroot/pkg/initramfs/release"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// addModules adds the modules that cfg requests, an index of them and their firmware to the image.
func (img *image) addModules(ctx context.Context, cfg Config) error {
	release, root := cfg.KernelVersion, cfg.Root
	if release == "" {
		var err error
		if release, err = kernel.Running("/proc"); err != nil {
			return err
		}
	}
	if root == "" {
		root = "/"
	}
	dir, err := modload.Tree(root, release)
	if err != nil {
		return kernel.Advise(err, root)
	}
	fsys, err := moduleFS(root, dir)
	if err != nil {
		return fmt.Errorf("modules in %s: %w", dir, err)
	}
	idx, err := img.readIndex(fsys, dir, release)
	if err != nil {
		return err
	}
	wanted, err := selectModules(idx, cfg, img.warn)
	if err != nil {
		return fmt.Errorf("modules in %s: %w", dir, err)
	}
	base := path.Join("lib/modules", release)
	mods, there := img.missing(base, idx, wanted)
	memory := archive.NewMemory(cfg.limits().Memory)
	files, err := loadModules(ctx, fsys, dir, mods, memory)
	if err != nil {
		return err
	}
	if err := img.tree.addTree(base, files, idx, wanted, there); err != nil {
		return err
	}
	img.machine = machineOf(files)
	img.sum.Kernel, img.sum.Modules, img.sum.Appended = release, len(mods), len(wanted)-len(mods)
	img.sum.Firmware, img.sum.MissingFirmware, err = img.tree.addFirmware(files, firmwareDirs(cfg, root, release), memory)
	return err
}

// missing returns the modules that the image of Append does not hold, and the paths of those that
// it does.
func (img *image) missing(base string, idx *kmod.Index, wanted []kmod.Module) (mods []kmod.Module, there map[string]string) {
	if img.below == nil {
		return wanted, nil
	}
	there = img.below.modules(base, idx)
	for _, m := range wanted {
		if there[m.Name] == "" {
			mods = append(mods, m)
		}
	}
	return mods, there
}

// moduleFS returns the module tree at dir, with the directory above it.
func moduleFS(root, dir string) (fs.FS, error) {
	above, err := rootFS(root).sub(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	below, err := fs.Sub(above, filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	return kmod.WithAbove(below, above), nil
}

// readIndex reads the index of the tree at dir, which is fsys.
func (img *image) readIndex(fsys fs.FS, dir, release string) (*kmod.Index, error) {
	idx, err := kmod.Open(fsys, kmod.Options{
		Strict: true, Above: true, Release: release, Unpack: unpacker(img.cfg.limits()),
		Note: func(err error) { img.warn(fmt.Errorf("modules in %s: %w", dir, err)) },
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("modules in %s: there is no modules.dep: run depmod -b %s %s: %w",
			dir, releaseBase(dir), release, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("modules in %s: %w", dir, err)
	}
	return idx, nil
}

// warn adds to the summary what the image lacks, each thing once.
func (img *image) warn(err error) {
	if text := err.Error(); !slices.Contains(img.sum.Warnings, text) {
		img.sum.Warnings = append(img.sum.Warnings, text)
	}
}

// addTree puts modules below base, and an index of these and of those that are there already.
func (t tree) addTree(base string, files []loaded, idx *kmod.Index, wanted []kmod.Module, there map[string]string) error {
	for _, f := range files {
		e := entry{mode: cpio.S_IFREG | 0o644, data: content(f.data), size: int64(len(f.data))}
		if err := t.add(path.Join(base, imagePath(f.Path)), e); err != nil {
			return err
		}
	}
	paths := map[string]string{}
	for _, m := range idx.Modules() {
		if there[m.Name] != "" {
			wanted = append(wanted, m)
			paths[m.Path] = there[m.Name]
		}
	}
	rename := func(name string) string {
		if other := paths[name]; other != "" {
			return other
		}
		return imagePath(name)
	}
	for _, f := range idx.Subset(wanted, rename).Files() {
		if err := t.add(path.Join(base, f.Name), entry{mode: cpio.S_IFREG | 0o644, data: content(f.Data)}); err != nil {
			return err
		}
	}
	return nil
}

// imagePath returns the path of a module in the image: plain, and in the tree.
func imagePath(name string) string {
	if above, ok := strings.CutPrefix(name, "../"); ok {
		name = "extra/" + above
	}
	return plainPath(name)
}

//go:build linux

package initramfs

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// compressed are the suffixes of module files that are unpacked for the image.
var compressed = []string{".gz", ".xz", ".zst"}

// plainPath returns the path of a module in the image, where none is compressed.
func plainPath(path string) string {
	for _, suffix := range compressed {
		path = strings.TrimSuffix(path, suffix)
	}
	return path
}

// loaded is a module file, unpacked and otherwise untouched: its signature is at the end.
type loaded struct {
	kmod.Module

	data []byte
	info kmod.Info
}

// loadModules reads modules from the tree at dir, with all processors: to unpack an .xz takes a second for 30 MB. A file
// that is cut off or is no module is an error.
func loadModules(ctx context.Context, fsys fs.FS, dir string, mods []kmod.Module) ([]loaded, error) {
	out, errs := make([]loaded, len(mods)), make([]error, len(mods))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(mods)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(mods) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				out[i], errs[i] = loadModule(fsys, filepath.Join(dir, mods[i].Path), mods[i])
			}
		})
	}
	wg.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func loadModule(fsys fs.FS, name string, m kmod.Module) (loaded, error) {
	if !strings.HasSuffix(plainPath(m.Path), ".ko") {
		return loaded{}, fmt.Errorf("module %s: neither .ko nor .ko with one of %s", name, strings.Join(compressed, " "))
	}
	f, err := fsys.Open(m.Path)
	if err != nil {
		return loaded{}, fmt.Errorf("read module %s: %w", name, cause(err))
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return loaded{}, fmt.Errorf("read module %s: not a regular file", name)
	}
	data, err := modload.UnpackFile(f, m.Path)
	if err != nil {
		return loaded{}, fmt.Errorf("read module %s: %w", name, cause(err))
	}
	info, err := kmod.ReadInfo(bytes.NewReader(data))
	if err != nil {
		return loaded{}, fmt.Errorf("read module %s: damaged: %w", name, err)
	}
	return loaded{m, data, info}, nil
}

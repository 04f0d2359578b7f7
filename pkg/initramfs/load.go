package initramfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// compressed are the suffixes of module files that are unpacked for the image
// (scripts/Makefile.modinst).
var compressed = []string{".gz", ".xz", ".zst"}

// compressionOf returns the compression for a suffix.
var compressionOf = map[string]archive.Compression{".gz": archive.Gzip, ".xz": archive.XZ, ".zst": archive.Zstd}

// maxModule bounds an unpacked module, in bytes, and Limits.Memory all of them. Debian's largest,
// amdgpu, has 27 MB.
const maxModule = 1 << 30

// plainPath returns the path of a module in the image, where none is compressed.
func plainPath(name string) string {
	for _, suffix := range compressed {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// loaded is a module file, unpacked and otherwise untouched: its signature is at the end.
type loaded struct {
	kmod.Module

	data []byte
	info kmod.Info
}

// loadModules reads modules from the tree at dir, with all processors: to unpack an .xz takes a
// second for 30 MB. A file that is cut off or is no module is an error. What is unpacked stays
// taken from memory.
func loadModules(ctx context.Context, fsys fs.FS, dir string, mods []kmod.Module, memory *archive.Memory) ([]loaded, error) {
	out, errs := make([]loaded, len(mods)), make([]error, len(mods))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(mods)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(mods) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				out[i], errs[i] = loadModule(fsys, filepath.Join(dir, mods[i].Path), mods[i], memory)
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

func loadModule(fsys fs.FS, name string, m kmod.Module, memory *archive.Memory) (loaded, error) {
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
	data, err := unpackBelow(f, compressionOf[path.Ext(m.Path)], memory, maxModule)
	if err != nil {
		return loaded{}, fmt.Errorf("read module %s: %w", name, cause(err))
	}
	info, err := kmod.ReadInfo(bytes.NewReader(data))
	if err != nil {
		return loaded{}, fmt.Errorf("read module %s: damaged: %w", name, err)
	}
	return loaded{m, data, info}, nil
}

// unpacker returns what unpacks module files for kmod.Options. One after the other is read and
// forgotten, and with two the collection of garbage may be late: each may take a quarter of the
// memory.
func unpacker(l archive.Limits) func(f fs.File, name string) ([]byte, error) {
	return func(f fs.File, name string) ([]byte, error) {
		return unpackBelow(f, compressionOf[path.Ext(name)], archive.NewMemory(l.Memory/4), maxModule)
	}
}

// unpackBelow returns what is in a file of at most limit bytes, packed and unpacked. What it
// returns stays taken from memory.
func unpackBelow(f fs.File, packed archive.Compression, memory *archive.Memory, limit int64) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	if err := memory.Take(st.Size()); err != nil {
		return nil, err
	}
	data := make([]byte, st.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	if packed != "" {
		defer memory.Give(st.Size())
		return archive.UnpackIn(memory, packed, data, limit)
	}
	return data, nil
}

package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Options say how Open reads a tree. The zero value takes every uncompressed module file below the
// root of the tree.
type Options struct {
	// Flat leaves out the folders below the root of the tree.
	Flat bool
	// Strict makes damage of the index an error, as for Read.
	Strict bool
	// Above includes the module files directly above the tree, as "../NAME"; the tree is one of
	// WithAbove.
	Above bool
	// Release is the running kernel's, if set: files that were built for another one are left
	// out.
	Release string
	// Unpack returns the whole plain content of a compressed file. Without it a file that has
	// to be unpacked to be read is left out.
	Unpack func(f fs.File, path string) ([]byte, error)
	// Note, if set, is called with each defect of the tree, one short line each.
	Note func(error)
}

// ReleaseError reports that all modules in the image are for another kernel than the running one.
type ReleaseError struct {
	Running string   // release of the running kernel
	Held    []string // releases whose modules are there
}

// Error names both.
func (e *ReleaseError) Error() string {
	return fmt.Sprintf("modules: no modules for the running kernel %s, only for %s", e.Running, strings.Join(e.Held, ", "))
}

// Hint returns how to correct it.
func (e *ReleaseError) Hint() string {
	return "build the image again with iscsiroot build --kernel-version " + e.Running + ", or boot the kernel " + e.Held[0]
}

// Open reads the index of a module tree in whatever state it is; fsys is rooted at
// lib/modules/RELEASE or is a flat directory of module files. A module file that modules.dep does
// not name is read for its .modinfo (all of them if there is no modules.dep), and one that is named
// and lies outside of the kernel's own folders is read for its kind. A file that modules.dep names
// and that exists with another compression, or elsewhere, is used from there. What cannot be read
// is skipped with a note. Without Strict, the only error is a *ReleaseError; a tree without any
// module is no error, as a kernel may have all it needs built in.
func Open(fsys fs.FS, o Options) (*Index, error) {
	if o.Note == nil {
		o.Note = func(error) {}
	}
	x, damage := read(fsys, o.Release)
	if o.Strict && len(damage) > 0 {
		return nil, damage[0]
	}
	for _, err := range damage {
		if !errors.Is(err, fs.ErrNotExist) {
			o.Note(err)
		}
	}
	paths := o.list(fsys)
	x.findFiles(paths)
	if err := x.addFiles(fsys, x.unnamed(fsys, paths), o); err != nil {
		return nil, err
	}
	x.setKinds(fsys, o)
	return x, nil
}

// unnamed returns those module files that the index does not name, the first of each name, in the
// order of modules.order, which is the order of depmod's aliases (tools/depmod.c of kmod,
// depmod_modules_sort).
func (x *Index) unnamed(fsys fs.FS, paths []string) []string {
	var out, first []string
	files := map[string]string{} // by name
	for _, path := range paths {
		name := nameOf(path)
		if _, known := x.byName[name]; !known && !x.builtin[name] && files[name] == "" {
			files[name] = path
			out = append(out, path)
		}
	}
	if len(out) < 2 {
		return out
	}
	text, _ := readText(fsys, orderFile) // it may be missing
	eachLine(text, func(line string, _ int) error {
		name := nameOf(line)
		if path := files[name]; path != "" {
			files[name] = ""
			first = append(first, path)
		}
		return nil
	})
	for _, path := range out {
		if files[nameOf(path)] != "" {
			first = append(first, path) // what is not listed comes last
		}
	}
	return first
}

// moduleSuffixes are the ends of the names of module files (tools/lib of kmod: kmod_exts).
var moduleSuffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// isModule reports whether a name is that of a module file, and whether it is compressed.
func isModule(name string) (compressed, ok bool) {
	for i, suffix := range moduleSuffixes {
		if strings.HasSuffix(name, suffix) && name != suffix {
			return i > 0, true
		}
	}
	return false, false
}

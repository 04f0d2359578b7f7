package kmod

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Options say how Open reads a tree. The zero value takes every uncompressed module file below the root of the tree.
type Options struct {
	// Flat leaves out the folders below the root of the tree.
	Flat bool
	// Release is the running kernel's, if set: files that say they were built for another one are left out.
	Release string
	// Unpack returns the whole plain content of a compressed file. Without it a file that would have to be unpacked to
	// be asked is left out.
	Unpack func(f fs.File, path string) ([]byte, error)
	// Note, if set, gets what is wrong with the tree, one short line each.
	Note func(error)
}

// ReleaseError says that all modules that are there belong to another kernel than the running one.
type ReleaseError struct {
	Running string   // release of the running kernel
	Held    []string // releases whose modules are there
}

// Error names both.
func (e *ReleaseError) Error() string {
	return fmt.Sprintf("modules: there are none for the running kernel %s, only for %s", e.Running, strings.Join(e.Held, ", "))
}

// Hint says how to make the two agree.
func (e *ReleaseError) Hint() string {
	return "build the image again with iscsiroot build --kernel-version " + e.Running + ", or boot the kernel " + e.Held[0]
}

// Open reads the index of a module tree in whatever state it is; fsys is rooted at lib/modules/RELEASE or is a flat
// directory of module files. Without modules.dep every module file is asked for its .modinfo; with a damaged one, those
// files are that it does not name. What cannot be read is passed over with a note. The only error is a *ReleaseError; a
// tree without any module is none, as a kernel may have all it needs built in.
func Open(fsys fs.FS, o Options) (*Index, error) {
	if o.Note == nil {
		o.Note = func(error) {}
	}
	x, damage := read(fsys)
	if len(damage) == 0 && len(x.mods) > 0 {
		return x, nil
	}
	for _, err := range damage {
		if !errors.Is(err, fs.ErrNotExist) {
			o.Note(err)
		}
	}
	var loose []string
	for _, path := range moduleFiles(fsys, o.Flat) {
		if _, known := x.byName[nameOf(path)]; !known && !x.builtin[nameOf(path)] {
			loose = append(loose, path)
		}
	}
	if err := x.addFiles(fsys, loose, o); err != nil {
		return nil, err
	}
	return x, nil
}

// moduleSuffixes are the ends of the names of module files (tools/lib of kmod: kmod_exts).
var moduleSuffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// isModule tells whether a name is that of a module file, and whether it is compressed.
func isModule(name string) (compressed, ok bool) {
	for i, suffix := range moduleSuffixes {
		if strings.HasSuffix(name, suffix) && name != suffix {
			return i > 0, true
		}
	}
	return false, false
}

// moduleFiles returns the paths of all module files, in lexical order. What cannot be listed is passed over.
func moduleFiles(fsys fs.FS, flat bool) []string {
	var out []string
	_ = fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case d.IsDir() && flat && path != ".":
			return fs.SkipDir
		case !d.IsDir() && len(out) < maxModules:
			if _, ok := isModule(d.Name()); ok {
				out = append(out, path)
			}
		}
		return nil
	})
	return out
}

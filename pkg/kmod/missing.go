package kmod

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// MissingFileError reports that modules.dep lists a file that does not exist. errors.Is finds
// fs.ErrNotExist in it.
type MissingFileError struct {
	Module string // normalised name
	Path   string // relative to the tree
	For    string // the module that needs it; empty if it is the module that was looked up
}

// Error names the module and the file.
func (e *MissingFileError) Error() string {
	text := fmt.Sprintf("module %s: modules.dep lists %s, but the tree has no such file: restore it, or run depmod", e.Module, e.Path)
	if e.For != "" {
		text = fmt.Sprintf("module %s needs %s", e.For, text)
	}
	return text
}

// Unwrap returns fs.ErrNotExist.
func (e *MissingFileError) Unwrap() error { return fs.ErrNotExist }

// findFiles looks for the file of each module of modules.dep among paths: at its path, or the same
// file with another compression. A module that has a file of its name elsewhere is dropped from the
// index, as when a link in weak-updates is dangling and the kernel's own module exists: addFiles
// reads that file's .modinfo.
func (x *Index) findFiles(paths []string) {
	here := make(map[string]bool, len(paths))
	names := make(map[string]bool, len(paths))
	for _, path := range paths {
		here[path], names[nameOf(path)] = true, true
	}
	kept := x.mods[:0]
	for _, r := range x.mods {
		r.missing = !here[r.Path]
		for _, suffix := range moduleSuffixes {
			if other := plainName(r.Path) + suffix; r.missing && here[other] {
				r.Path, r.missing = other, false
			}
		}
		if r.missing && names[r.Name] {
			delete(x.byName, r.Name)
			continue
		}
		x.anyMissing = x.anyMissing || r.missing
		x.byName[r.Name] = int32(len(kept))
		kept = append(kept, r)
	}
	x.mods = kept
}

// fits reports whether a file was built for the release in the options. Links in weak-updates lead
// to files of another release on purpose: the kernel compares the symbols' versions
// (kernel/module/main.c, same_magic).
func (o Options) fits(path string, info Info) bool {
	release := info.Release()
	return o.Release == "" || release == "" || release == o.Release || strings.HasPrefix(path, "weak-updates/")
}

// plainName returns the path of a module file without its suffix.
func plainName(path string) string {
	for _, suffix := range slices.Backward(moduleSuffixes) {
		if plain, ok := strings.CutSuffix(path, suffix); ok {
			return plain
		}
	}
	return path
}

// FileMissing reports whether modules.dep lists a file for a module that does not exist. Only Open
// looks for files.
func (x *Index) FileMissing(m Module) bool {
	i, ok := x.byName[m.Name]
	return ok && x.mods[i].missing
}

// MissingMayBeEthernet reports whether the file of a module does not exist, and the module may be
// for Ethernet: its kind is not KindOther, or its path does not determine it.
func (x *Index) MissingMayBeEthernet(m Module) bool {
	kind, sure := m.kindByPath()
	return x.FileMissing(m) && (kind != KindOther || !sure)
}

// CheckFiles returns nil if at least one of the modules of a name or alias has its file and those
// of all its dependencies, or if none has to be loaded. Otherwise it returns a *NotFoundError or a
// *MissingFileError.
func (x *Index) CheckFiles(name string) error {
	mods, ok := x.Resolve(name)
	if !ok {
		return &NotFoundError{Name: name}
	}
	var first error
	for _, m := range mods {
		i := x.missingDep(x.byName[m.Name])
		if i < 0 {
			return nil
		}
		if first == nil {
			first = x.missingFileError(m.Name, x.mods[i].Module)
		}
	}
	return first
}

// missingFileError returns the error for m, whose file does not exist; m is the module of that
// name, or a dependency of it.
func (x *Index) missingFileError(name string, m Module) error {
	err := &MissingFileError{Module: m.Name, Path: m.Path}
	if m.Name != name {
		err.For = name
	}
	return err
}

// missingDep returns a module without a file, of module i and its dependencies, or -1.
func (x *Index) missingDep(i int32) int32 {
	if !x.anyMissing {
		return -1
	}
	return x.missingDepUnseen(i, map[int32]bool{})
}

// missingDepUnseen is missingDep without the modules in seen.
func (x *Index) missingDepUnseen(i int32, seen map[int32]bool) int32 {
	if x.mods[i].missing {
		return i
	}
	seen[i] = true
	for dep := range strings.FieldsSeq(x.mods[i].deps) {
		if j, builtin, ok := x.dependency(dep); ok && !builtin && !seen[j] {
			if missing := x.missingDepUnseen(j, seen); missing >= 0 {
				return missing
			}
		}
	}
	return -1
}

// withoutMissing returns the modules that have all their files, or all modules if none has.
func (x *Index) withoutMissing(mods []Module) []Module {
	var out []Module
	for _, m := range mods {
		if x.missingDep(x.byName[m.Name]) < 0 {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return mods
	}
	return out
}

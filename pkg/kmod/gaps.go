package kmod

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// GoneError reports that modules.dep lists a file that does not exist. errors.Is finds
// fs.ErrNotExist in it.
type GoneError struct {
	Module string // normalised name
	Path   string // relative to the tree
	For    string // the module that needs it; empty if that is the one that was asked for
}

// Error names the module and the file.
func (e *GoneError) Error() string {
	text := fmt.Sprintf("module %s: modules.dep names %s, which is not there: put it there, or run depmod", e.Module, e.Path)
	if e.For != "" {
		text = fmt.Sprintf("module %s needs %s", e.For, text)
	}
	return text
}

// Unwrap returns fs.ErrNotExist.
func (e *GoneError) Unwrap() error { return fs.ErrNotExist }

// fillGaps looks for the file of each module of modules.dep among those that are there: at its path
// or in another form, compressed or not. A module that has a file of its name elsewhere, as when a
// link in weak-updates leads nowhere and the kernel's own module is there, is forgotten: that file
// says what it is itself.
func (x *Index) fillGaps(paths []string) {
	here := make(map[string]bool, len(paths))
	names := make(map[string]bool, len(paths))
	for _, path := range paths {
		here[path], names[nameOf(path)] = true, true
	}
	kept := x.mods[:0]
	for _, r := range x.mods {
		r.gone = !here[r.Path]
		for _, suffix := range moduleSuffixes {
			if other := plainName(r.Path) + suffix; r.gone && here[other] {
				r.Path, r.gone = other, false
			}
		}
		if r.gone && names[r.Name] {
			delete(x.byName, r.Name)
			continue
		}
		x.gaps = x.gaps || r.gone
		x.byName[r.Name] = int32(len(kept))
		kept = append(kept, r)
	}
	x.mods = kept
}

// fits reports whether a file was built for the release that is asked for. Links in weak-updates
// lead to those of another one on purpose: the kernel compares the symbols' versions
// (kernel/module/main.c, same_magic).
func (o Options) fits(path string, info Info) bool {
	release := info.Release()
	return o.Release == "" || release == "" || release == o.Release || strings.HasPrefix(path, "weak-updates/")
}

// plainName returns the path of a module file without the suffix of its form.
func plainName(path string) string {
	for _, suffix := range slices.Backward(moduleSuffixes) {
		if plain, ok := strings.CutSuffix(path, suffix); ok {
			return plain
		}
	}
	return path
}

// Gone reports whether modules.dep names a file for a module that is not there; only Open looks.
func (x *Index) Gone(m Module) bool {
	i, ok := x.byName[m.Name]
	return ok && x.mods[i].gone
}

// Doubt reports whether a module that is gone may have been for Ethernet, by its kind or because
// nothing says that it was not.
func (x *Index) Doubt(m Module) bool {
	kind, sure := m.kindByPath()
	return x.Gone(m) && (kind != KindOther || !sure)
}

// Whole returns nil if a name or alias stands for a module, one of them at least, whose file is
// there with those of all that it depends on, or for nothing that has to be loaded; else a
// *NotFoundError or a *GoneError.
func (x *Index) Whole(name string) error {
	mods, ok := x.Resolve(name)
	if !ok {
		return &NotFoundError{Name: name}
	}
	var first error
	for _, m := range mods {
		i := x.gap(x.byName[m.Name])
		if i < 0 {
			return nil
		}
		if first == nil {
			first = x.goneError(m.Name, x.mods[i].Module)
		}
	}
	return first
}

// goneError returns the error for m, whose file is missing, and which the module of a name needs or
// is.
func (x *Index) goneError(name string, m Module) error {
	err := &GoneError{Module: m.Name, Path: m.Path}
	if m.Name != name {
		err.For = name
	}
	return err
}

// gap returns the module that is gone among one and those that it depends on, or -1.
func (x *Index) gap(i int32) int32 {
	if !x.gaps {
		return -1
	}
	return x.gapBut(i, map[int32]bool{})
}

// gapBut is gap without the modules that have been seen.
func (x *Index) gapBut(i int32, seen map[int32]bool) int32 {
	if x.mods[i].gone {
		return i
	}
	seen[i] = true
	for dep := range strings.FieldsSeq(x.mods[i].deps) {
		if j, builtin, ok := x.dependency(dep); ok && !builtin && !seen[j] {
			if gone := x.gapBut(j, seen); gone >= 0 {
				return gone
			}
		}
	}
	return -1
}

// wholeOnes returns those of several modules that have no gap, all if each has one.
func (x *Index) wholeOnes(mods []Module) []Module {
	var out []Module
	for _, m := range mods {
		if x.gap(x.byName[m.Name]) < 0 {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return mods
	}
	return out
}

// Package kmod reads the index of a kernel module tree, as depmod(8) writes it, and finds which
// modules a device or a name needs and in which order they are loaded. It only reads from an fs.FS:
// it loads nothing, so init and the image builder share it. Loading is pkg/modload's.
//
// Five files make the index: modules.dep, modules.alias, modules.softdep, modules.builtin and
// modules.builtin.modinfo (all but the first may be missing); the binary *.bin files are not read.
// Read reads only these, and returns an error if one is damaged. Open reads the module files as
// well. It uses what exists, for a boot: it reads the section .modinfo of files that modules.dep
// does not list, and of those whose path does not determine their kind. With Options.Strict a
// damaged index is an error, for a builder. ReadConfig reads modprobe.d(5).
package kmod

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/glob"
)

// Module is one loadable module of a tree.
type Module struct {
	// Name is the kernel's: '_' for every '-'.
	Name string
	// Path is relative to the tree, such as kernel/drivers/net/virtio_net.ko, and keeps the
	// suffix of a compressed file.
	Path string

	kind Kind // by the file and its aliases, where the path does not determine it
}

// NotFoundError reports that the tree has no module of this name or alias, loadable or built in.
// errors.Is finds fs.ErrNotExist in it.
type NotFoundError struct{ Name string }

// Error names the module.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("module %s: not in the module tree", e.Name)
}

// Unwrap returns fs.ErrNotExist.
func (e *NotFoundError) Unwrap() error { return fs.ErrNotExist }

// Index is the index of one module tree. It does not change after Read and is safe for concurrent
// use.
type Index struct {
	release        string // of the tree; empty if it is not known
	mods           []record
	anyMissing     bool // one of mods is missing
	byName         map[string]int32
	softdeps       map[string]softdep
	aliases        aliasTable
	builtinPaths   []string
	builtin        map[string]bool
	builtinAliases aliasTable
	blacklist      map[string]bool // Config's
	configAliases  aliasTable
}

// record is a module with its lines of the index, kept as text until a plan needs them.
type record struct {
	Module
	deps    string // the right-hand side of modules.dep: blank separated paths
	line    int    // in modules.dep, counted from 1; 0 if the record comes from the file's .modinfo
	missing bool   // modules.dep lists a file that does not exist
}

// softdep holds the soft dependencies of one module.
type softdep struct{ pre, post []string }

// Modules returns every loadable module that is not built in as well, in the order of modules.dep.
func (x *Index) Modules() []Module {
	out := make([]Module, 0, len(x.mods))
	for _, r := range x.mods {
		if !x.builtin[r.Name] {
			out = append(out, r.Module)
		}
	}
	return out
}

// Lookup finds a module by name; '-' and '_' are equal. builtin reports that the kernel has it
// built in: then m holds no Path and nothing is left to load.
func (x *Index) Lookup(name string) (m Module, builtin, ok bool) {
	name = normalise(name)
	if x.builtin[name] {
		return Module{Name: name}, true, true
	}
	if i, found := x.byName[name]; found {
		return x.mods[i].Module, false, true
	}
	return Module{}, false, false
}

// Match returns the modules whose alias patterns match a modalias or another alias such as
// "fs-ext3", in the order of modules.alias, each once; nil if there is none. Patterns are
// fnmatch(3)'s; '-' and '_' are equal. What is built in or on Config's blacklist is left out.
func (x *Index) Match(alias string) []Module {
	mods, _ := x.match(alias)
	return mods
}

// match is Match. excluded reports whether a module with the alias is built in or on the blacklist.
func (x *Index) match(alias string) (mods []Module, excluded bool) {
	alias = normalise(alias)
	names := x.configAliases.match(alias)
	if len(names) == 0 {
		names = x.aliases.match(alias)
		excluded = len(x.builtinAliases.match(alias)) > 0
	}
	seen := make(map[string]bool)
	for _, name := range names {
		m, builtin, ok := x.Lookup(name)
		switch {
		case builtin, ok && x.blacklist[name]:
			excluded = true
		case ok && !seen[name]:
			seen[name] = true
			mods = append(mods, m)
		}
	}
	return mods, excluded
}

// BuiltinOrBlacklisted reports whether one of the modules of a name or an alias is built into the
// kernel, or is on Config's blacklist: then it is no error if the others do not load.
func (x *Index) BuiltinOrBlacklisted(name string) bool {
	if _, builtin, found := x.Lookup(name); found {
		return builtin
	}
	_, excluded := x.match(name)
	return excluded
}

// Resolve finds what a name or an alias stands for: a module of that name first, then every module
// with that alias. ok with no modules means that the kernel has it built in, or that Config's
// blacklist keeps the alias from loading it.
func (x *Index) Resolve(name string) (mods []Module, ok bool) {
	if m, builtin, found := x.Lookup(name); builtin {
		return nil, true
	} else if found {
		return []Module{m}, true
	}
	mods, excluded := x.match(name)
	return mods, excluded || len(mods) > 0
}

// Aliases returns the alias patterns of a module, in the order of modules.alias.
func (x *Index) Aliases(m Module) []string {
	var out []string
	for _, a := range x.aliases.entries {
		if a.module == m.Name {
			out = append(out, a.raw)
		}
	}
	return out
}

// AliasKinds returns what the alias patterns of the modules that are wanted begin with, up to the
// first ':' or wildcard, sorted, each once: "pci" for "pci:v00008086d*", "acpi" for
// "acpi*:VMBUS:*". Aliases without a ':', which no device has, are left out; Config's are included
// for every module.
func (x *Index) AliasKinds(wanted func(Module) bool) []string {
	kinds := map[string]bool{}
	note := func(pattern string) {
		if i := strings.IndexAny(pattern, `:*?[\`); i >= 0 && strings.Contains(pattern, ":") {
			kinds[pattern[:i]] = true
		}
	}
	for _, a := range x.configAliases.entries {
		note(a.raw)
	}
	cached := map[string]bool{}
	for _, a := range x.aliases.entries {
		ok, known := cached[a.module]
		if !known {
			i, found := x.byName[a.module]
			ok = found && wanted(x.mods[i].Module)
			cached[a.module] = ok
		}
		if ok {
			note(a.raw)
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// MatchesCPU reports whether a module is for a processor, by the processor's modalias as in
// /sys/devices/system/cpu/modalias: a module with aliases for processors
// (MODULE_DEVICE_TABLE(x86cpu, ...) or module_cpu_feature_match) must have one that matches; a
// module without any is for all processors.
func (x *Index) MatchesCPU(name, modalias string) bool {
	name, modalias = normalise(name), normalise(modalias)
	matches := true
	for _, a := range x.aliases.entries {
		if a.module == name && strings.HasPrefix(a.pattern, "cpu:") {
			if glob.Match(a.pattern, modalias) {
				return true
			}
			matches = false
		}
	}
	return matches
}

// normalise returns a module name, or an alias that is not a pattern, with '_' for every '-', as
// the kernel compares it.
func normalise(name string) string { return strings.ReplaceAll(name, "-", "_") }

// nameOf returns the module name in a path: the last element up to its first dot, as libkmod takes
// it.
func nameOf(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ := strings.Cut(base, ".")
	return normalise(name)
}

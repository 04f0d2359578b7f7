// Package kmod reads the index of a kernel module tree, as depmod(8) writes it, and answers which
// modules a device or a name needs and in which order they are loaded. It only reads from an fs.FS:
// it loads nothing, so init and the image builder share it. Loading is pkg/modload's.
//
// Five files make the index: modules.dep, modules.alias, modules.softdep, modules.builtin and
// modules.builtin.modinfo (all but the first may be missing); the .bin twins are not read. Read
// reads only these, and wants them sound. Open looks at the module files as well. It takes what
// there is, for a boot: what modules.dep does not name is asked for its section .modinfo, and so is
// what its path says nothing of. With Options.Strict the index has to be sound, for a builder.
// ReadConfig reads modprobe.d(5).
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
	// Name as the kernel knows it: '_' for every '-'.
	Name string
	// Path is relative to the tree, such as kernel/drivers/net/virtio_net.ko, and keeps the
	// suffix of a compressed file.
	Path string

	kind Kind // what the file and its aliases say, where the path does not
}

// NotFoundError reports that the tree has no module of this name or alias, loadable or built in.
// errors.Is finds fs.ErrNotExist in it.
type NotFoundError struct{ Name string }

// Error names what was looked for.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("module %s: not in the module tree", e.Name)
}

// Unwrap returns fs.ErrNotExist.
func (e *NotFoundError) Unwrap() error { return fs.ErrNotExist }

// Index answers questions about one module tree. It does not change after Read and is safe for
// concurrent use.
type Index struct {
	release        string // of the tree; empty if it is not known
	mods           []record
	gaps           bool // some are gone
	byName         map[string]int32
	softdeps       map[string]softdep
	aliases        aliasTable
	builtinPaths   []string
	builtin        map[string]bool
	builtinAliases aliasTable
	blacklist      map[string]bool // Config's
	configAliases  aliasTable
}

// record is a module with what its index lines say, kept as text until a plan needs it.
type record struct {
	Module
	deps string // the right-hand side of modules.dep: blank separated paths
	line int    // in modules.dep, counted from 1; 0 for what the file itself has said
	gone bool   // modules.dep names a file that is not there
}

// softdep is what a Softdep says of a module.
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

// match is Match, and reports whether there is a module with the alias that need not or may not be
// loaded: it is built in or on the blacklist.
func (x *Index) match(alias string) (mods []Module, settled bool) {
	alias = normalise(alias)
	names := x.configAliases.match(alias)
	if len(names) == 0 {
		names = x.aliases.match(alias)
		settled = len(x.builtinAliases.match(alias)) > 0
	}
	seen := make(map[string]bool)
	for _, name := range names {
		m, builtin, ok := x.Lookup(name)
		switch {
		case builtin, ok && x.blacklist[name]:
			settled = true
		case ok && !seen[name]:
			seen[name] = true
			mods = append(mods, m)
		}
	}
	return mods, settled
}

// Settled reports whether a name or an alias stands, among others, for a module that the kernel has
// built in or that Config's blacklist keeps the alias from loading: then it does no harm if the
// others do not load.
func (x *Index) Settled(name string) bool {
	if _, builtin, found := x.Lookup(name); found {
		return builtin
	}
	_, settled := x.match(name)
	return settled
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
	mods, settled := x.match(name)
	return mods, settled || len(mods) > 0
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
// "acpi*:VMBUS:*". Aliases without a ':', which no device has, are left out; Config's count
// whatever module they are for.
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
	asked := map[string]bool{}
	for _, a := range x.aliases.entries {
		ok, known := asked[a.module]
		if !known {
			i, found := x.byName[a.module]
			ok = found && wanted(x.mods[i].Module)
			asked[a.module] = ok
		}
		if ok {
			note(a.raw)
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// Suits reports whether a module is for a processor, by its modalias as in
// /sys/devices/system/cpu/modalias: a module with aliases for processors
// (MODULE_DEVICE_TABLE(x86cpu, ...) or module_cpu_feature_match) must have one that matches, and
// every other one suits.
func (x *Index) Suits(name, modalias string) bool {
	name, modalias = normalise(name), normalise(modalias)
	suits := true
	for _, a := range x.aliases.entries {
		if a.module == name && strings.HasPrefix(a.pattern, "cpu:") {
			if glob.Match(a.pattern, modalias) {
				return true
			}
			suits = false
		}
	}
	return suits
}

// normalise writes a module name, or an alias that is no pattern, as the kernel compares it.
func normalise(name string) string { return strings.ReplaceAll(name, "-", "_") }

// nameOf returns the module name in a path: the last element up to its first dot, as libkmod takes
// it.
func nameOf(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ := strings.Cut(base, ".")
	return normalise(name)
}

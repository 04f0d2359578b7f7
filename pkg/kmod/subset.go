package kmod

import (
	"strings"
)

// File is one file of an index.
type File struct {
	Name string // relative to the tree
	Data []byte
}

// Subset returns the index of a tree that holds only these modules, at the paths that rename gives
// them (nil keeps them). The modules should be complete, as Plan returns them: a dependency that is
// not among them is dropped. What the kernel has built in stays.
func (x *Index) Subset(mods []Module, rename func(path string) string) *Index {
	if rename == nil {
		rename = func(path string) string { return path }
	}
	keep := make(map[string]bool, len(mods))
	for _, m := range mods {
		keep[m.Name] = true
	}
	out := &Index{
		byName: map[string]int32{}, softdeps: map[string]softdep{},
		builtin: x.builtin, builtinPaths: x.builtinPaths, builtinAliases: x.builtinAliases,
	}
	for _, r := range x.mods {
		if !keep[r.Name] {
			continue
		}
		out.byName[r.Name] = int32(len(out.mods))
		deps := x.keptDeps(r, keep, rename)
		out.mods = append(out.mods, record{Module: Module{r.Name, rename(r.Path), r.kind}, deps: deps, line: len(out.mods) + 1})
		if s, ok := x.softdeps[r.Name]; ok {
			out.softdeps[r.Name] = s
		}
	}
	for _, a := range x.aliases.entries {
		if keep[a.module] {
			out.aliases.add(a.raw, a.module)
		}
	}
	out.aliases.finish()
	return out
}

// keptDeps returns the dependencies of a module that are in keep, in their order.
func (x *Index) keptDeps(r record, keep map[string]bool, rename func(string) string) string {
	var deps []string
	for dep := range strings.FieldsSeq(r.deps) {
		if i, builtin, ok := x.dependency(dep); ok && !builtin && keep[x.mods[i].Name] {
			deps = append(deps, rename(x.mods[i].Path))
		}
	}
	return strings.Join(deps, " ")
}

// Files returns the index as the files that Read reads, in a fixed order. Of
// modules.builtin.modinfo only the aliases are returned.
func (x *Index) Files() []File {
	var dep, alias, soft, builtin, modinfo strings.Builder
	for _, r := range x.mods {
		dep.WriteString(strings.TrimRight(r.Path+": "+r.deps, " ") + "\n")
		writeSoftdep(&soft, r.Name, x.softdeps[r.Name])
	}
	for _, a := range x.aliases.entries {
		alias.WriteString("alias " + a.raw + " " + a.module + "\n")
	}
	for _, path := range x.builtinPaths {
		builtin.WriteString(path + "\n")
	}
	for _, a := range x.builtinAliases.entries {
		modinfo.WriteString(a.module + ".alias=" + a.raw + "\x00")
	}
	return []File{
		{aliasFile, []byte(alias.String())},
		{builtinFile, []byte(builtin.String())},
		{builtinModinfoFile, []byte(modinfo.String())},
		{depFile, []byte(dep.String())},
		{softdepFile, []byte(soft.String())},
	}
}

// writeSoftdep writes the line of one module, if it has soft dependencies.
func writeSoftdep(b *strings.Builder, name string, s softdep) {
	if len(s.pre)+len(s.post) == 0 {
		return
	}
	b.WriteString("softdep " + name)
	if len(s.pre) > 0 {
		b.WriteString(" pre: " + strings.Join(s.pre, " "))
	}
	if len(s.post) > 0 {
		b.WriteString(" post: " + strings.Join(s.post, " "))
	}
	b.WriteByte('\n')
}

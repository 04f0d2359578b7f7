package kmod

import (
	"fmt"
	"slices"
	"strings"
)

// Step is one module of a load plan.
type Step struct {
	// Module has no Path if it is a dependency that the index does not contain.
	Module
	// Soft is set if the module is only a soft dependency: if it does not load, the others
	// still can. crc32c_intel is one: it does not load on a processor without SSE 4.2, and
	// crc32c_generic replaces it.
	Soft bool
	// Doubtful is set if the index contradicts itself about the module: its dependencies form a
	// cycle, or it is not in the tree. The others may load without it, and it after them.
	Doubtful bool
}

// requested holds the modules that a module requests by the kernel's request_module while it
// starts, or when it is first used, and that are not in the index. Loaded before, as soft
// dependencies, each saves a run of /sbin/modprobe.
var requested = map[string][]string{
	"iscsi_tcp":      {"crypto-crc32c"},         // drivers/scsi/iscsi_tcp.c, iscsi_sw_tcp_conn_create
	"crc64_rocksoft": {"crypto-crc64-rocksoft"}, // lib/crc64-rocksoft.c, crc64_rocksoft_mod_init; sd_mod depends on it
}

// Plan returns what has to be loaded for the names or aliases, in order: for each module its soft
// dependencies "pre" and its dependencies first, then the module; soft dependencies "post" come
// last of all. Each module is listed once; what is built in is left out, and so are soft
// dependencies that are not in the tree or have no file. Of several modules with one alias, those
// without a file are left out, unless all are. An unknown name is a *NotFoundError; a cycle of
// dependencies is an error that names the line of modules.dep.
func (x *Index) Plan(names ...string) ([]Module, error) {
	p, err := x.plan(names)
	if err == nil {
		err = p.err
	}
	if err != nil {
		return nil, err
	}
	mods := make([]Module, len(p.steps))
	for i, s := range p.steps {
		mods[i] = s.Module
	}
	return mods, nil
}

// Steps is Plan for an index that may be damaged: it separates required modules from soft
// dependencies, and marks a doubtful module instead of returning an error. The only error is a
// *NotFoundError for one of the names.
func (x *Index) Steps(names ...string) ([]Step, error) {
	p, err := x.plan(names)
	if err != nil {
		return nil, err
	}
	if p.cycle {
		for i := range p.steps {
			p.steps[i].Doubtful = !p.isRoot(p.steps[i].Module)
		}
	}
	return append(p.absent, p.steps...), nil
}

// plan makes the plan for some names.
func (x *Index) plan(names []string) (*planner, error) {
	p := &planner{x: x, needed: make([]uint8, len(x.mods)), placed: make([]bool, len(x.mods))}
	for _, name := range names {
		mods, ok := x.Resolve(name)
		if !ok {
			return nil, &NotFoundError{Name: name}
		}
		for _, m := range x.withoutMissing(mods) {
			p.roots = append(p.roots, x.byName[m.Name])
		}
	}
	for _, i := range p.roots {
		p.need(i)
	}
	for _, i := range p.roots {
		p.place(i)
	}
	for len(p.posts) > 0 {
		name := p.posts[0]
		p.posts = p.posts[1:]
		p.placeAll([]string{name})
	}
	return p, nil
}

// planner makes one plan. needed marks the modules that the roots require, placed those that are in
// steps.
type planner struct {
	x      *Index
	roots  []int32
	needed []uint8
	placed []bool
	steps  []Step
	posts  []string

	absent []Step // needed, and not in the tree
	cycle  bool
	err    error // the first contradiction in the index
}

// The states of planner.needed.
const (
	unseen uint8 = iota
	open         // its dependencies are being visited: to reach it again is a cycle
	closed
)

// need marks a module and all its dependencies.
func (p *planner) need(i int32) {
	r := p.x.mods[i]
	switch p.needed[i] {
	case closed:
		return
	case open:
		p.cycle = true
		p.inconsistent(fmt.Errorf("%s: module %s depends on itself", r.source(), r.Name))
		return
	}
	p.needed[i] = open
	for dep := range strings.FieldsSeq(r.deps) {
		j, builtin, ok := p.x.dependency(dep)
		switch {
		case builtin:
		case ok:
			p.need(j)
		default:
			p.inconsistent(fmt.Errorf("%s: dependency of %s: %w", r.source(), r.Name, &NotFoundError{Name: dep}))
			absent := Step{Module: Module{Name: nameOf(dep)}, Doubtful: true}
			if !slices.Contains(p.absent, absent) {
				p.absent = append(p.absent, absent)
			}
		}
	}
	p.needed[i] = closed
}

// inconsistent records the first contradiction in the index.
func (p *planner) inconsistent(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *planner) isRoot(m Module) bool { return slices.Contains(p.roots, p.x.byName[m.Name]) }

// source returns where the dependencies of a module were read.
func (r record) source() string {
	if r.line == 0 {
		return r.Path
	}
	return fmt.Sprintf("%s: line %d", depFile, r.line)
}

// place appends a module to the plan after the modules that must be loaded before it. Only soft
// dependencies can make a cycle here; it is broken where it closes, as libkmod does.
func (p *planner) place(i int32) {
	if p.placed[i] {
		return
	}
	p.placed[i] = true
	r := p.x.mods[i]
	soft := p.x.softdeps[r.Name]
	p.placeAll(requested[r.Name])
	p.placeAll(soft.pre)
	// depmod writes the nearest dependency first, so the last one is the first to load.
	for _, dep := range slices.Backward(strings.Fields(r.deps)) {
		if j, builtin, ok := p.x.dependency(dep); ok && !builtin {
			p.place(j)
		}
	}
	p.steps = append(p.steps, Step{Module: r.Module, Soft: p.needed[i] != closed})
	p.posts = append(p.posts, soft.post...)
}

// placeAll places the modules of soft dependencies that are in the tree.
func (p *planner) placeAll(names []string) {
	for _, name := range names {
		mods, _ := p.x.Resolve(name)
		for _, m := range mods {
			i := p.x.byName[m.Name]
			if p.needed[i] == closed || p.x.missingDep(i) < 0 {
				p.place(i)
			}
		}
	}
}

// dependency finds the module that a path on the right-hand side of modules.dep names.
func (x *Index) dependency(path string) (i int32, builtin, ok bool) {
	name := nameOf(path)
	if x.builtin[name] {
		return 0, true, true
	}
	i, ok = x.byName[name]
	return i, false, ok
}

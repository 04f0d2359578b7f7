package drivers

import (
	"maps"
	"reflect"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Changed names the steps that must be done again because of the words for modules in a new line. A
// module that is not loaded yet gets its new parameters without that; drivers that did not load
// have another try.
func (d *Drivers) Changed(line cmdline.Line) []string {
	if d.index == nil {
		return nil // the step modules is still to come
	}
	before, after := d.Plan.Modules, bootspec.ParseModules(line)
	before.Params = maps.Clone(before.Params)
	for name := range after.Params {
		if _, _, ok := d.index.Lookup(name); !ok { // such as rd, of rd.timeout=
			delete(before.Params, name)
			delete(after.Params, name)
		}
	}
	switch {
	case reflect.DeepEqual(before, after):
		return nil
	case !slices.Equal(before.Pre, after.Pre):
		return []string{"modules"}
	case !slices.Equal(before.Post, after.Post) || !d.Up.Is():
		return []string{"drivers"}
	}
	return nil
}

// Reopen gives the modules that are not loaded yet their new parameters; nothing else is at work on
// the loader but loads, which keep theirs.
func (d *Drivers) Reopen(before bootspec.Modules) {
	if d.loader == nil || reflect.DeepEqual(before, d.Plan.Modules) {
		return // the step modules makes it, or it is right
	}
	if err := d.openLoader(); err != nil {
		d.Log.Warnf("%v", err)
	}
}

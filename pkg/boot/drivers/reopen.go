package drivers

import (
	"maps"
	"reflect"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Changed lists the steps that must be repeated because of the module parameters in a new command
// line. A module that is not loaded yet gets its new parameters without that; drivers that did not
// load are tried again.
func (d *Drivers) Changed(line cmdline.Line) []string {
	if d.index == nil {
		return nil // the step modules has not run yet
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
	case !slices.Equal(before.Post, after.Post) || !d.Up.IsSet():
		return []string{"drivers"}
	}
	return nil
}

// Reopen gives the modules that are not loaded yet their new parameters. Loads that are under way
// keep theirs; nothing else uses the loader meanwhile.
func (d *Drivers) Reopen(before bootspec.Modules) {
	if d.loader == nil || reflect.DeepEqual(before, d.Plan.Modules) {
		return // the step modules makes the loader, or nothing has changed
	}
	if err := d.openLoader(); err != nil {
		d.Log.Warnf("%v", err)
	}
}

package arrays

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// Filter is which arrays a search wants. The zero value wants none.
type Filter struct {
	Device   bootspec.Device // the array that it names, if it is of ByArray
	All      bool            // also all others that Allow allows
	Allow    bootspec.MD
	Degraded bool // also one array that lacks members it can do without
	Complete bool // no other array can come
}

// None reports whether the search wants no array at all.
func (f Filter) None() bool {
	return f.Device.By != bootspec.ByArray && (!f.All || f.Allow.Off.V)
}

// idOf is what an array can be named by.
func idOf(a *md.Array) bootspec.ArrayID {
	return bootspec.ArrayID{UUID: strings.ReplaceAll(a.Set.String(), ":", ""), Name: a.Name}
}

// name is what the name of a search stands for: an array, and a partition of it.
type name struct {
	uuid      string // none: ""
	partition int
}

// wanted returns the arrays that a search wants, and which one it names. An error is a name that
// several have.
func (f Filter) wanted(all []md.Array) ([]*md.Array, name, error) {
	var ids []bootspec.ArrayID
	for i := range all {
		ids = append(ids, idOf(&all[i]))
	}
	named, partition := f.Device.Array(ids, f.Complete)
	if len(named) > 1 {
		return nil, name{}, fmt.Errorf("%s is the name of two arrays, on %s and on %s: name one by its UUID, as /dev/disk/by-id/md-uuid-%s",
			f.Device, places(&all[named[0]]), places(&all[named[1]]), all[named[0]].Set)
	}
	var out []*md.Array
	var one name
	for i := range all {
		if len(named) > 0 && named[0] == i {
			one = name{ids[i].UUID, partition}
		}
		if len(named) > 0 && named[0] == i || f.All && f.Allow.Allows(ids[i].UUID) {
			out = append(out, &all[i])
		}
	}
	return out, one, nil
}

func places(a *md.Array) string {
	var names []string
	for i := range a.Members {
		names = append(names, a.Members[i].Place)
	}
	return strings.Join(names, ", ")
}

// title names an array for a person.
func title(id bootspec.ArrayID) string {
	if name := id.ShortName(); name != "" {
		return name
	}
	return id.UUID
}

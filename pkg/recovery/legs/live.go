package legs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// device is a volume of a plan, as it is in the kernel and as it has to be.
type device struct {
	lvm.Volume
	name      string // in device-mapper
	info      dm.Info
	there     bool        // in the kernel
	now, want table.Table // now is nil if it is not there
}

// live looks up a volume's device. One that is not there, or is not LVM's, has no table.
func (s *scan) live(v lvm.Volume) (*device, error) {
	d := &device{Volume: v, name: dm.Mangle(v.Name)}
	info, err := s.m.Info(d.name)
	switch {
	case errors.Is(err, unix.ENXIO):
		return d, nil
	case err != nil:
		return d, err
	case !strings.HasPrefix(info.UUID, v.UUID) || !info.Active:
		return d, fmt.Errorf("dm device %s is not the volume of that name", d.name)
	case info.Suspended || info.Inactive:
		return d, fmt.Errorf("dm device %s is being changed by another program: %w", d.name, unix.EWOULDBLOCK)
	}
	d.info, d.there = info, true
	d.now, err = s.m.Table(d.name)
	return d, err
}

// number is that of a device. Those that are not there yet have numbers of major 0, which no device
// has, by their place in the plan.
func (d *device) number(place int) table.Number {
	if d.there {
		return d.info.Number
	}
	return table.Number{Minor: uint32(place)}
}

// numbers are the devices of a plan by their numbers.
type numbers map[table.Number]*device

// below looks up a raid's devices and computes their tables, the lowest first and the raid last.
func (s *scan) below(plan []lvm.Volume, raid string) ([]*device, numbers, error) {
	needed := map[string]bool{raid: true}
	for i := len(plan) - 1; i >= 0; i-- { // what stands on a device comes behind it
		for _, ref := range plan[i].Refs() {
			needed[ref.Volume] = needed[ref.Volume] || needed[plan[i].Name]
		}
	}
	var out []*device
	byNumber, byName := numbers{}, map[string]table.Number{}
	for i, v := range plan {
		if !needed[v.Name] {
			continue
		}
		d, err := s.live(v)
		if err != nil {
			return nil, nil, err
		}
		if d.want, err = s.tableOf(v, byName); err != nil {
			return nil, nil, err
		}
		byName[v.Name] = d.number(i)
		byNumber[d.number(i)] = d
		out = append(out, d)
	}
	return out, byNumber, nil
}

// tableOf is a volume's table with the numbers of today.
func (s *scan) tableOf(v lvm.Volume, made map[string]table.Number) (table.Table, error) {
	return v.Table(func(ref lvm.Ref) (table.Number, bool) {
		if ref.PV == "" {
			n, ok := made[ref.Volume]
			return n, ok
		}
		d := s.places[ref.PV]
		if d == nil {
			return table.Number{}, false
		}
		return table.Number(d.Number), true
	})
}

// shape is a table without the numbers of its devices.
func shape(t table.Table) string {
	var out table.Table
	for _, l := range t {
		switch v := l.Target.(type) {
		case table.Linear:
			v.Dev = table.Number{}
			l.Target = v
		case table.Striped:
			areas := v.Stripes
			v.Stripes = nil
			for _, a := range areas {
				v.Stripes = append(v.Stripes, table.Area{Offset: a.Offset})
			}
			l.Target = v
		}
		out = append(out, l)
	}
	return out.String()
}

// errLayout is a volume in the kernel that the metadata describe otherwise.
var errLayout = errors.New("its layout in the kernel is not that of its metadata: lvchange --refresh")

// moved reports whether a device below a raid stands on disks that have gone, while its physical
// volumes are on others now.
func (s *scan) moved(d *device) (bool, error) {
	if d.now.String() == d.want.String() {
		return false, nil
	}
	if shape(d.now) != shape(d.want) {
		return false, fmt.Errorf("%s: %w", d.name, errLayout)
	}
	for _, n := range standsOn(d.now) {
		if !s.gone(n) && !contains(standsOn(d.want), n) {
			return false, fmt.Errorf("%s stands on device %s, which is still there: %w", d.name, n, unix.EWOULDBLOCK)
		}
	}
	return true, nil
}

// gone reports whether the kernel has no device of a number.
func (r *Refresher) gone(n table.Number) bool {
	_, err := os.Lstat(filepath.Join(r.Sys, "dev/block", n.String()))
	return err != nil
}

// standsOn lists the devices of linear and striped ranges.
func standsOn(t table.Table) (out []table.Number) {
	for _, l := range t {
		switch v := l.Target.(type) {
		case table.Linear:
			out = append(out, v.Dev)
		case table.Striped:
			for _, a := range v.Stripes {
				out = append(out, a.Dev)
			}
		}
	}
	return out
}

func contains(list []table.Number, n table.Number) bool {
	for _, one := range list {
		if one == n {
			return true
		}
	}
	return false
}

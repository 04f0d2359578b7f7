package redundancy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// Maps answers about the devices of device-mapper by their names. *dm.Control implements it.
type Maps interface {
	Table(name string) (table.Table, error)
	Status(name string) ([]dm.Status, error)
	Info(name string) (dm.Info, error)
}

// Rule is the machine.
type Rule struct {
	Sys, Proc string // where sysfs and proc are mounted
	Maps      Maps   // nil: no device of device-mapper is redundant, and each is in use
}

// Use is what stands on a session's disks.
type Use struct {
	// Arrays are the arrays, and the volumes of LVM, that lose a member and work without it.
	Arrays []string
	// Fails are devices in use that lack data.
	Fails []string
}

// Covered reports whether the session's disks are in use, and all that is in use above them works
// without them.
func (u Use) Covered() bool { return len(u.Fails) == 0 && len(u.Arrays) > 0 }

// Idle reports whether no data depends on the session's disks, or it has none.
func (u Use) Idle() bool { return len(u.Fails) == 0 && len(u.Arrays) == 0 }

// Use finds out what becomes of all that is in use above the disks of a session when these, and the
// disks of the sessions in down, are lost. Sessions are the kernel's session ids. In use are
// mounted file systems, swap, members of a btrfs, arrays that run, devices of device-mapper that
// are open, what is below a loop device, what LIO exports, and, where nothing else keeps the result
// from being Covered, what a program has open for writing.
func (r *Rule) Use(sid uint32, down []uint32) Use {
	luns, err := blockdev.LUNs(r.Sys, sid)
	if err != nil { // the session is being removed
		return Use{}
	}
	down = append(slices.Clone(down), sid)
	busy := r.readBusy()
	u := r.use(luns, down, busy)
	if u.Covered() {
		r.opensOfPrograms(&busy)
		u = r.use(luns, down, busy)
	}
	return u
}

// use is Use with what is busy.
func (r *Rule) use(luns []blockdev.LUN, down []uint32, busy busy) (u Use) {
	e := &evaluation{Rule: r, down: down}
	for _, lun := range luns {
		if lun.Disk == "" {
			continue
		}
		above := r.above(lun.Disk)
		for _, name := range above {
			if !slices.Contains(u.Fails, name) && e.fails(name, above, busy) {
				u.Fails = append(u.Fails, name)
			}
		}
	}
	u.Arrays = e.arrays
	return u
}

// above lists a disk, all that stands on it, and the partitions of both.
func (r *Rule) above(disk string) []string {
	var out []string
	for _, name := range append([]string{disk}, blockdev.Holders(r.Sys, disk)...) {
		out = append(out, name)
		parts, _ := filepath.Glob(filepath.Join(r.Sys, "class/block", name, name+"*", "partition"))
		for _, p := range parts {
			out = append(out, filepath.Base(filepath.Dir(p)))
		}
	}
	return out
}

// evaluation follows devices down to the disks.
type evaluation struct {
	*Rule
	down   []uint32
	arrays []string // as Use.Arrays
}

// fails reports whether a device above a disk is in use, itself and not only by what stands on it,
// and lacks data. above lists all that is looked at: what stands on them beyond its depth is not.
func (e *evaluation) fails(name string, above []string, b busy) bool {
	d, err := blockdev.Read(e.Sys, name)
	if err != nil {
		return true
	}
	holders := blockdev.Holders(e.Sys, name)
	if slices.ContainsFunc(holders, func(holder string) bool { return !slices.Contains(above, holder) }) {
		return true
	}
	return (b.has(d) || e.inUse(d, len(holders) == 0)) && !e.works(d)
}

// inUse reports whether a device that is not busy is in use. top: no other stands on it.
func (e *evaluation) inUse(d *blockdev.Device, top bool) bool {
	switch {
	case d.Map != "" && e.Maps != nil:
		info, err := e.Maps.Info(d.Map)
		return top && (err != nil || info.Open > 0)
	case d.Kind == blockdev.KindDisk: // not an iSCSI disk: a holder of a kind that is not known
		return d.LUN == nil
	}
	return top && d.Kind != blockdev.KindPartition
}

// works reports whether a device has all its data.
func (e *evaluation) works(d *blockdev.Device) bool {
	switch {
	case d.LUN != nil:
		return !slices.Contains(e.down, d.LUN.Session)
	case d.Kind == blockdev.KindMD:
		return e.arrayWorks(d)
	case d.Kind == blockdev.KindMultipath:
		return slices.ContainsFunc(d.Parents, e.works)
	case d.Kind == blockdev.KindDM:
		return e.mapWorks(d)
	}
	return e.allWork(d)
}

// allWork reports whether all devices below one work. Those that are gone are in its directory and
// not among its parents.
func (e *evaluation) allWork(d *blockdev.Device) bool {
	slaves, _ := os.ReadDir(filepath.Join(e.Sys, "class/block", d.Name, "slaves"))
	return len(slaves) <= len(d.Parents) && !slices.ContainsFunc(d.Parents, func(p *blockdev.Device) bool { return !e.works(p) })
}

// noteArray records an array that works without a member.
func (e *evaluation) noteArray(name string) {
	if !slices.Contains(e.arrays, name) {
		e.arrays = append(e.arrays, name)
	}
}

// read reads an attribute of a device; empty: it is not there.
func (e *evaluation) read(d *blockdev.Device, name string) string {
	b, _ := os.ReadFile(filepath.Join(e.Sys, "class/block", d.Name, name))
	return strings.TrimSpace(string(b))
}

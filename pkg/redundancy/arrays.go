package redundancy

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// member is one of an array that has not failed: the array waits for its I/O, also for that of a
// spare, which has a superblock.
type member struct {
	slot   int  // -1: a spare
	inSync bool // it has all data of its slot
	works  bool // its device does
}

// redundant reports whether an array with so many slots works, and notes its name if it does with
// less members.
func (e *evaluation) redundant(name string, g geometry, slots int, all []member) bool {
	good := make([]bool, slots)
	loses := false
	for _, m := range all {
		if m.slot >= 0 {
			good[m.slot] = good[m.slot] || m.inSync && m.works
		}
		loses = loses || !m.works
	}
	ok := g.enough(good)
	if ok && loses {
		e.noteArray(name)
	}
	return ok
}

// geometry is what decides how many members an array needs.
type geometry struct {
	level        string // "raid1", "raid5_ls"
	near, copies int    // of raid10
}

// enough reports whether an array works with the good ones among its members, given by slot. For
// raid10 it is the kernel's own test (drivers/md/raid10.c: _enough).
func (g geometry) enough(good []bool) bool {
	n := 0
	for _, is := range good {
		if is {
			n++
		}
	}
	level, _, _ := strings.Cut(g.level, "_")
	switch level {
	case "raid1":
		return n >= 1
	case "raid4", "raid5":
		return n >= len(good)-1
	case "raid6":
		return n >= len(good)-2
	case "raid10":
		return g.everyCopy(good)
	}
	return n == len(good)
}

// everyCopy reports whether each set of copies of a raid10 has a good member.
func (g geometry) everyCopy(good []bool) bool {
	if g.near < 1 || g.copies < 1 || len(good) == 0 {
		return false
	}
	for first := 0; ; {
		found := false
		for i := range g.copies {
			found = found || good[(first+i)%len(good)]
		}
		if !found {
			return false
		}
		if first = (first + g.near) % len(good); first == 0 {
			return true
		}
	}
}

// arrayWorks evaluates an md array by its attributes (Documentation/admin-guide/md.rst). With
// parity, a resync that is not done leaves blocks that cannot be computed. An array that is being
// reshaped, or has a journal, needs all members.
func (e *evaluation) arrayWorks(d *blockdev.Device) bool {
	level := e.read(d, "md/level")
	slots, err := strconv.ParseUint(e.read(d, "md/raid_disks"), 10, 12)
	parity := slices.Contains([]string{"raid4", "raid5", "raid6"}, level)
	dirty := parity && e.read(d, "md/resync_start") != "none"
	if err != nil || dirty || !parity && level != "raid1" && level != "raid10" {
		return e.allWork(d)
	}
	all, ok := e.members(d, int(slots))
	if !ok {
		return e.allWork(d)
	}
	layout, _ := strconv.Atoi(e.read(d, "md/layout"))
	near, far := layout&0xff, layout>>8&0xff // drivers/md/raid10.c: setup_geo
	return e.redundant(d.Name, geometry{level, near, near * far}, int(slots), all)
}

// members reads an array's members. A slot may have a second one, the replacement of the first. One
// of another kind, as a journal, makes the result false.
func (e *evaluation) members(d *blockdev.Device, slots int) (all []member, ok bool) {
	dirs, _ := filepath.Glob(filepath.Join(e.Sys, "class/block", d.Name, "md/dev-*")) // the pattern is good
	for _, dir := range dirs {
		name := filepath.Base(dir)
		flags := strings.Split(e.read(d, "md/"+name+"/state"), ",")
		if slices.Contains(flags, "faulty") {
			continue
		}
		slot := -1
		if text := e.read(d, "md/"+name+"/slot"); text != "none" {
			n, err := strconv.Atoi(text)
			if slot = n; err != nil || n < 0 || n >= slots {
				return nil, false
			}
		}
		disk := slices.IndexFunc(d.Parents, func(p *blockdev.Device) bool { return p.Name == strings.TrimPrefix(name, "dev-") })
		all = append(all, member{slot, slices.Contains(flags, "in_sync"), disk >= 0 && e.works(d.Parents[disk])})
	}
	return all, true
}

// mapWorks evaluates a device of device-mapper by its table.
func (e *evaluation) mapWorks(d *blockdev.Device) bool {
	if e.Maps == nil {
		return e.allWork(d)
	}
	lines, err := e.Maps.Table(d.Map)
	if err != nil || len(lines) == 0 { // of a type that is not known, such as dm-crypt
		return e.allWork(d)
	}
	states, err := e.Maps.Status(d.Map)
	for i, line := range lines {
		raid, is := line.Target.(*table.Raid)
		if !is || raid.Level == "raid0" || err != nil || i >= len(states) {
			return e.allWork(d)
		}
		if !e.raidWorks(d, raid, states[i].Text) {
			return false
		}
	}
	return true
}

// raidWorks evaluates a raid of device-mapper, by its table and the text of its state.
func (e *evaluation) raidWorks(d *blockdev.Device, t *table.Raid, text string) bool {
	s, err := table.ParseRaidStatus(text)
	if err != nil || len(s.Health) != len(t.Legs) {
		return e.allWork(d)
	}
	g := geometry{t.Level, 1, 2}
	if t.Copies > 0 {
		g.copies = t.Copies
	}
	if t.Format == "near" || t.Format == "" && (t.Level == "raid10" || t.Level == "raid10_near") {
		g.near = g.copies
	}
	// During a resync all legs are shown as if they had not all data (drivers/md/dm-raid.c:
	// __raid_dev_status): of copies each has, but parity is not valid.
	resyncs := s.Action == "resync" && (t.Level == "raid1" || strings.HasPrefix(t.Level, "raid10"))
	var all []member
	for i, leg := range t.Legs {
		if c := s.Health[i]; c == 'A' || c == 'a' {
			all = append(all, member{i, c == 'A' || resyncs, e.partWorks(d, leg.Meta) && e.partWorks(d, leg.Data)})
		}
	}
	return e.redundant(d.Map, g, len(t.Legs), all)
}

// partWorks reports whether a part of a leg works, which is a device below d; a missing one does
// not.
func (e *evaluation) partWorks(d *blockdev.Device, n *table.Number) bool {
	return n != nil && slices.ContainsFunc(d.Parents, func(p *blockdev.Device) bool {
		return p.Number == blockdev.Number(*n) && e.works(p)
	})
}

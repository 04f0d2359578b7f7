package md_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// valid makes a superblock of numbers that the kernel accepts, for a device of deviceSize.
func valid(minor, level uint8, name string, roles []byte, sectors, offset, events uint64, layout, features, number uint32, delta int32) md.Superblock {
	levels := []md.Level{md.Linear, md.RAID0, md.RAID1, md.RAID4, md.RAID5, md.RAID6, md.RAID10}
	s := md.Superblock{
		Minor: int(minor % 3), Level: levels[int(level)%len(levels)], ChunkSectors: 8 << (layout % 20), Layout: layout, Created: events & (1<<40 - 1),
		Events: events, Clean: events&1 != 0, Features: md.Feature(features), Number: number,
	}
	s.Name, _, _ = strings.Cut(name[:min(len(name), 32)], "\x00")
	for i, b := range roles[:min(len(roles), 1920)] {
		s.Roles = append(s.Roles, uint16(b)<<8|uint16(roles[len(roles)-1-i]))
		s.Set[i%16] += b
		s.Device[i%16] ^= b + byte(i)
	}
	s.Disks = 4 + int(layout>>8)%1917
	if s.Level == md.RAID10 {
		s.Layout = layout&0x10000 | 1 + layout&1 | (1+layout>>9&1)<<8
	}
	s.Sectors = sectors % 50000
	s.DataSectors = 50000 + sectors%10000
	s.DataOffset = 4096/512 + 8 + offset%60000
	if s.Features&md.FeatureReshape != 0 {
		s.Delta = int(delta % 1921)
	}
	return s
}

// FuzzWrite writes superblocks of values and reads them: they are the same, and are refused for
// their features alone.
func FuzzWrite(f *testing.F) {
	f.Add(uint8(2), uint8(2), "host:root", []byte{0, 0, 0xff, 1, 0}, uint64(40000), uint64(2048), uint64(101), uint32(0x102), uint32(1), uint32(1), int32(0))
	f.Add(uint8(0), uint8(6), "root", []byte{0, 1, 2, 3, 0, 0, 0, 0}, uint64(64), uint64(0), uint64(1<<50+1), uint32(0x10201), uint32(4|64), uint32(3), int32(-1))
	f.Add(uint8(1), uint8(4), "", []byte{255, 254, 255, 255}, uint64(9999), uint64(1), uint64(4), uint32(0x202), uint32(2|16|1024), uint32(7), int32(2))
	f.Fuzz(func(t *testing.T, minor, level uint8, name string, roles []byte, sectors, offset, events uint64, layout, features, number uint32, delta int32) {
		want := valid(minor, level, name, roles, sectors, offset, events, layout, features, number, delta)
		got, err := md.Read(device(deviceSize, want), deviceSize)
		const reshape, newOffset, all = md.FeatureReshape, md.FeatureNewOffset, 1<<13 - 1
		backup := want.Features&(reshape|newOffset) == reshape
		refused := want.Features&^all != 0 || want.Features&(md.FeatureClustered|md.FeatureJournal) != 0 || backup
		var unsupported *md.UnsupportedError
		if refused != errors.As(err, &unsupported) || !refused && err != nil {
			t.Fatalf("%v: %+v", err, want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-written +read:\n%s", diff)
		}
	})
}

// FuzzRead reads superblocks that mdadm wrote, changed: what is read is written and read again as
// the same.
func FuzzRead(f *testing.F) {
	for name, minor := range map[string]int{"raid1-1.0": 0, "raid1-1.1": 1, "raid5": 1, "raid10-far": 2, "reshape": 2, "journal": 2} {
		b := make([]byte, 1024) // what is behind it in the block is mdadm's write-intent bitmap
		if _, err := disks(f, name)["vda"].ReadAt(b, superSector(minor, deviceSize)*512); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(minor), b)
	}
	f.Fuzz(func(t *testing.T, minor uint8, b []byte) {
		if len(b) < 256 || len(b) > 4096 {
			return
		}
		b = bytes.Clone(b)
		mend(b)
		at := superSector(int(minor%3), deviceSize) * 512
		first, err := md.Read(sparse{deviceSize, map[int64][]byte{at: b}}, deviceSize)
		if errors.Is(err, md.ErrNone) || first.Roles == nil {
			return
		}
		again, err2 := md.Read(device(deviceSize, first), deviceSize)
		if !reflect.DeepEqual(first, again) || (err == nil) != (err2 == nil) {
			t.Fatalf("%v %v -first +again:\n%s", err, err2, cmp.Diff(first, again))
		}
	})
}

// changed makes members of an array of four and changes them: each has six bytes, which are its
// number, its device, its events, its features, and a role of it.
func changed(level uint8, layout uint32, b []byte) []md.Found {
	levels := []md.Level{md.Linear, md.RAID0, md.RAID1, md.RAID4, md.RAID5, md.RAID6, md.RAID10}
	base := members(levels[int(level)%len(levels)], 4)
	if base[0].Superblock.Level == md.RAID10 {
		layout = layout&0x10000 | 1 + layout&1 | (1+layout>>9&1)<<8
	}
	var out []md.Found
	for ; len(b) >= 6 && len(out) < 12; b = b[6:] {
		f := base[b[0]%4]
		s := &f.Superblock
		f.Place = "sd" + string(rune('a'+len(out)))
		s.Layout, s.Roles = layout, slices.Clone(s.Roles)
		s.Roles = append(s.Roles, md.RoleSpare, md.RoleSpare)
		s.Number = uint32(b[0] % 8)
		s.Device[3] = b[1] % 4
		s.Device[1] = b[0]
		s.Events += uint64(b[2] % 4)
		s.Clean = b[2]&4 == 0
		s.Features = md.Feature(b[3]) & (md.FeatureRecovery | md.FeatureReplacement)
		s.Roles[b[4]%6] = []uint16{md.RoleSpare, md.RoleFaulty, 0, 1, 2, 3}[b[5]%6]
		out = append(out, f)
	}
	return out
}

// FuzzAssemble makes an array of members that may contradict each other. Each of them is in the
// array once; the plan has those that agree with the first one, and what starts without missing
// members starts degraded as well.
func FuzzAssemble(f *testing.F) {
	f.Add(uint8(2), uint32(0), []byte{0, 0, 0, 0, 0, 2, 1, 0, 1, 0, 1, 3})
	f.Add(uint8(4), uint32(2), []byte{0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 1, 3, 2, 0, 3, 2, 5, 1})
	f.Add(uint8(6), uint32(0x102), []byte{0, 0, 4, 0, 0, 2, 1, 0, 4, 0, 1, 3, 3, 0, 4, 0, 0, 2, 4, 0, 0, 18, 4, 4})
	f.Fuzz(func(t *testing.T, level uint8, layout uint32, b []byte) {
		all := changed(level, layout, b)
		if len(all) == 0 {
			return
		}
		a, _ := assemble(t, all)
		seen := map[string]bool{}
		for _, m := range a.Members {
			seen[m.Place] = true
		}
		for _, l := range a.Left {
			seen[l.Place] = true
		}
		agreed := a.Conflict != nil || len(seen) == len(a.Members)+len(a.Left)
		if !agreed || a.Conflict == nil && len(seen) != len(all) {
			t.Fatalf("%d members, %d left out, of %d: %+v", len(a.Members), len(a.Left), len(all), a)
		}
		p, err := a.Plan(md.Options{})
		degraded, degradedErr := a.Plan(md.Options{Degraded: true})
		if err == nil && cmp.Diff(p, degraded) != "" {
			t.Fatalf("%+v, degraded %+v %v", p, degraded, degradedErr)
		}
		var missing *md.MissingError
		if errors.As(err, &missing) && missing.Degradable != (degradedErr == nil) {
			t.Fatalf("%+v, degraded %v", missing, degradedErr)
		}
		if degradedErr != nil {
			return
		}
		slots := map[int]bool{}
		for _, m := range degraded.Members {
			if m.Slot >= 0 && m.Events+1 < degraded.Members[0].Events {
				t.Fatalf("old: %+v", degraded)
			}
			if m.Slot >= 0 && !m.Partial {
				slots[m.Slot] = true
			}
		}
		if len(slots)+degraded.Missing != 4 || degraded.Missing > 0 && !degraded.Level.Redundant() {
			t.Fatalf("%d slots: %+v", len(slots), degraded)
		}
	})
}

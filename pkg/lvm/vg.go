package lvm

import (
	"fmt"
	"slices"
	"sort"
)

// VG is the metadata of a volume group: its text as values. Tags, times and what lvm2 needs only to
// change the VG are left out.
type VG struct {
	Name  string
	ID    ID
	Seqno uint32 // grows with each change

	Status   []string // words of lib/format_text/flags.c that a reader has to know: "RESIZEABLE"
	SystemID string   // of the only host that may use the VG (lvmsystemid(7)); empty: any
	LockType string   // of lvmlockd(8); empty or "none": the VG is not shared

	ExtentSectors uint32 // the size of an extent, in sectors of 512 bytes
	PVs           []PhysicalVolume
	LVs           []LV
}

// PhysicalVolume is what the metadata has of a PV.
type PhysicalVolume struct {
	Name   string // within the metadata: "pv0"
	ID     ID
	Device string // where lvm2 saw it last, a hint for a person
	Status []string

	StartSectors uint64 // where the first extent begins
	Extents      uint32
}

// String returns what a person needs in order to find the PV.
func (p PhysicalVolume) String() string {
	if p.Device == "" || p.Device == "[unknown]" { // lvm2's word for one that it did not find
		return p.ID.String()
	}
	return p.ID.String() + " (once " + clip(p.Device) + ")"
}

// missing reports whether lvm2 went on without the PV: what is on it is old.
func (p PhysicalVolume) missing() bool { return slices.Contains(p.Status, "MISSING") }

// LV is a logical volume, or a part of one.
type LV struct {
	Name     string
	ID       ID
	Status   []string // words that a reader has to know: "READ", "WRITE", "VISIBLE"
	Flags    []string // words that a reader may ignore: "ACTIVATION_SKIP"
	Minor    int      // the number that the device shall have, -1: any
	Segments []Segment
}

// Hidden reports whether the LV is a part of another one, or lvm2's own.
func (l *LV) Hidden() bool { return !l.has("VISIBLE") }

// has looks for a word in Status and Flags.
func (l *LV) has(word string) bool {
	return slices.Contains(l.Status, word) || slices.Contains(l.Flags, word)
}

// writable is as in lvm2: WRITE_LOCKED keeps older versions from writing, not this one
// (lib/format_text/import_vsn1.c: _read_lvnames).
func (l *LV) writable() bool { return l.has("WRITE") || l.has("WRITE_LOCKED") }

// Extents is the size of the LV.
func (l *LV) Extents() uint64 {
	var n uint64
	for _, s := range l.Segments {
		n += uint64(s.Extents)
	}
	return n
}

// LV returns the LV of a name, which is not that of the VG.
func (vg *VG) LV(name string) (*LV, bool) {
	for i := range vg.LVs {
		if vg.LVs[i].Name == name {
			return &vg.LVs[i], true
		}
	}
	return nil, false
}

// maxSectors limits sizes, so that sums of them stay in 64 bits, in bytes as well.
const maxSectors = 1 << 52

// Parse reads a text of metadata, as lvm2 writes it on disk and vgcfgbackup(8) into a file. A
// segment of a type that this package does not know is no error; see Unsupported.
func Parse(text []byte) (*VG, error) {
	nodes, err := parseConfig(string(text))
	if err != nil {
		return nil, err
	}
	root := &section{name: "text", node: &node{children: nodes}}
	if c := root.text("contents"); root.err == nil && c != "Text Format Volume Group" {
		root.fail("contents", "is %q", clip(c))
	}
	if v := root.number("version", 32); root.err == nil && v != 1 {
		root.fail("version", "is %d, not 1", v)
	}
	for i := range nodes {
		if nodes[i].section && root.err == nil {
			vg := &VG{Name: nodes[i].key}
			s := &section{name: nodes[i].key, node: &nodes[i]}
			vg.read(s)
			return vg, s.err
		}
	}
	if root.err == nil {
		root.fail("volume group", "is missing")
	}
	return nil, root.err
}

func (vg *VG) read(s *section) {
	s.checkName(vg.Name)
	vg.ID = s.id()
	vg.Seqno = uint32(s.number("seqno", 32))
	vg.Status = s.list("status")
	vg.SystemID = s.optionalText("system_id")
	vg.LockType = s.optionalText("lock_type")
	vg.ExtentSectors = uint32(s.number("extent_size", 32))
	if f := s.optionalText("format"); f != "" && f != "lvm2" {
		s.fail("format", "is %q, not lvm2", clip(f))
	}
	if vg.ExtentSectors == 0 {
		s.fail("extent_size", "is 0")
	}
	s.sections("physical_volumes", vg.readPV)
	s.sections("logical_volumes", vg.readLV)
	if s.err == nil {
		s.err = vg.resolve()
	}
}

func (vg *VG) readPV(s *section) {
	p := PhysicalVolume{
		Name:         s.node.key,
		ID:           s.id(),
		Device:       s.optionalText("device"),
		Status:       append(s.list("status"), s.optionalList("flags")...),
		StartSectors: s.number("pe_start", 64),
		Extents:      uint32(s.number("pe_count", 32)),
	}
	if p.StartSectors > maxSectors || uint64(p.Extents)*uint64(vg.ExtentSectors) > maxSectors {
		s.fail("pe_start", "and pe_count are too large")
	}
	vg.PVs = append(vg.PVs, p)
}

func (vg *VG) readLV(s *section) {
	l := LV{Name: s.node.key, ID: s.id(), Status: s.list("status"), Flags: s.optionalList("flags"), Minor: -1}
	s.checkName(l.Name)
	if l.has("FIXED_MINOR") {
		const bits = 20 // include/linux/kdev_t.h: MINORBITS
		l.Minor = int(s.number("minor", bits))
	}
	for i := range s.node.children {
		if c := &s.node.children[i]; c.section && s.err == nil {
			s.child(c, l.readSegment)
		}
	}
	if n := s.number("segment_count", 32); n != uint64(len(l.Segments)) {
		s.fail("segment_count", "is %d, with %d segments", n, len(l.Segments))
	}
	if err := l.join(); err != nil {
		s.fail("segments", "%v", err)
	}
	if l.Extents()*uint64(vg.ExtentSectors) > maxSectors {
		s.fail("segments", "are too long")
	}
	vg.LVs = append(vg.LVs, l)
}

// join puts the segments into order; they follow each other without a gap. What continues its
// predecessor becomes one with it, as in lvm2 (lib/metadata/merge.c: lv_merge_segments).
func (l *LV) join() error {
	sort.Sort(byStart(l.Segments))
	var at uint64
	var out []Segment
	for _, s := range l.Segments {
		if uint64(s.Start) != at || s.Extents == 0 {
			return fmt.Errorf("begin at extent %d instead of %d, or are empty", s.Start, at)
		}
		at += uint64(s.Extents)
		if n := len(out); n > 0 && out[n-1].continuedBy(s) {
			out[n-1].Extents += s.Extents
			continue
		}
		out = append(out, s)
	}
	l.Segments = out
	return nil
}

// byStart sorts segments. Two with one start are an error, in any order.
type byStart []Segment

func (b byStart) Len() int           { return len(b) }
func (b byStart) Less(i, j int) bool { return b[i].Start < b[j].Start }
func (b byStart) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// resolve looks up what segments name: an area is on a PV or on an LV, and fits into it.
func (vg *VG) resolve() error {
	pvs, lvs, ids := map[string]*PhysicalVolume{}, map[string]*LV{}, map[ID]bool{}
	for i := range vg.PVs {
		pvs[vg.PVs[i].Name] = &vg.PVs[i]
		if ids[vg.PVs[i].ID] {
			return fmt.Errorf("metadata: %s: two PVs have the id %s", vg.Name, vg.PVs[i].ID)
		}
		ids[vg.PVs[i].ID] = true
	}
	clear(ids)
	for i := range vg.LVs {
		lvs[vg.LVs[i].Name] = &vg.LVs[i]
		if ids[vg.LVs[i].ID] {
			return fmt.Errorf("metadata: %s: two LVs have the id %s", vg.Name, vg.LVs[i].ID)
		}
		ids[vg.LVs[i].ID] = true
	}
	for i := range vg.LVs {
		for _, s := range vg.LVs[i].Segments {
			if err := s.resolve(pvs, lvs); err != nil {
				return fmt.Errorf("metadata: %s/%s: %w", vg.Name, vg.LVs[i].Name, err)
			}
		}
	}
	return nil
}

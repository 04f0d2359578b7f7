package lvm

import (
	"fmt"
	"strings"
)

// Segment is a range of an LV, in extents.
type Segment struct {
	Start, Extents uint32
	Type           SegmentType
}

// SegmentType is one of *Striped, *Raid, *ThinPool, *Thin and *Unsupported.
type SegmentType interface {
	// names returns the LVs that the segment stands on.
	names() []string
}

// Area is a place on a PV or an LV of the same VG; one of the two is empty.
type Area struct {
	PV     ID
	LV     string
	Extent uint32 // from the start of the PV's extents, or of the LV

	name string // as the text has it, until it is looked up
}

// Striped is lvm2's "striped": with one area it is linear. The chunks of StripeSectors follow each
// other on the areas in turn.
type Striped struct {
	StripeSectors uint32 // 0 with one area
	Areas         []*Area
}

// Unsupported is a segment that cannot be activated, by the type that the metadata names, and its
// flags ("raid5+RESHAPE").
type Unsupported struct {
	Name string
	Uses []string // LVs that cannot be activated alone: the origin of a snapshot, and its store
}

func (s *Striped) names() []string {
	var out []string
	for _, a := range s.Areas {
		if a.LV != "" {
			out = append(out, a.LV)
		}
	}
	return out
}

func (u *Unsupported) names() []string { return nil }

func (l *LV) readSegment(s *section) {
	seg := Segment{Start: uint32(s.number("start_extent", 32)), Extents: uint32(s.number("extent_count", 32))}
	kind := s.text("type")
	switch name, flags, _ := strings.Cut(kind, "+"); {
	case flags != "" && kind != "thin-pool+CROP_METADATA":
		seg.Type = &Unsupported{Name: kind}
	case name == "striped" || name == "linear":
		seg.Type = readStriped(s)
	case raidLevel(name) != "":
		seg.Type = readRaid(s, name)
	case name == "thin-pool":
		seg.Type = readThinPool(s)
	case name == "thin":
		seg.Type = readThin(s)
	default:
		seg.Type = readUnsupported(s, kind)
	}
	l.Segments = append(l.Segments, seg)
}

// readUnsupported keeps what a snapshot stands on: without it neither LV is what it was
// (lib/snapshot/snapshot.c: _snap_text_import).
func readUnsupported(s *section, kind string) *Unsupported {
	u := &Unsupported{Name: kind}
	if kind == "snapshot" {
		for _, key := range []string{"origin", "cow_store", "merging_store"} {
			if s.has(key) {
				u.Uses = append(u.Uses, s.text(key))
			}
		}
	}
	return u
}

// readStriped reads areas, each a name and an extent (lib/format_text/import_vsn1.c:
// text_import_areas).
func readStriped(s *section) *Striped {
	out := &Striped{}
	count := s.number("stripe_count", 32)
	if count != 1 {
		out.StripeSectors = uint32(s.number("stripe_size", 32))
	}
	var v []value
	if n := s.find("stripes"); n != nil {
		v = n.values
	}
	if count == 0 || uint64(len(v)) != 2*count || count != 1 && out.StripeSectors == 0 {
		s.fail("stripes", "has %d values for %d areas, or the stripes have no size", len(v), count)
		return out
	}
	for ; len(v) > 0; v = v[2:] {
		n, err := v[1].number(32)
		if !v[0].quoted || err != nil {
			s.fail("stripes", "has %q, %q, not a name and a number", clip(v[0].text), clip(v[1].text))
			return out
		}
		out.Areas = append(out.Areas, &Area{name: v[0].text, Extent: uint32(n)})
	}
	return out
}

// continuedBy reports whether the next segment goes on where this one ends, on the same areas.
func (s Segment) continuedBy(next Segment) bool {
	a, ok := s.Type.(*Striped)
	b, ok2 := next.Type.(*Striped)
	if !ok || !ok2 || len(a.Areas) != len(b.Areas) || a.StripeSectors != b.StripeSectors {
		return false
	}
	width := uint64(s.Extents) / uint64(len(a.Areas))
	for i := range a.Areas {
		if a.Areas[i].name != b.Areas[i].name || uint64(a.Areas[i].Extent)+width != uint64(b.Areas[i].Extent) {
			return false
		}
	}
	return true
}

// resolve checks that what the segment names is there, and that its areas are inside of it.
func (s Segment) resolve(pvs map[string]*PhysicalVolume, lvs map[string]*LV) error {
	if t, ok := s.Type.(*Striped); ok {
		width := uint64(s.Extents) / uint64(len(t.Areas))
		if width*uint64(len(t.Areas)) != uint64(s.Extents) {
			return fmt.Errorf("%d extents on %d stripes", s.Extents, len(t.Areas))
		}
		for _, a := range t.Areas {
			if err := a.resolve(width, pvs, lvs); err != nil {
				return err
			}
		}
	}
	names := s.Type.names()
	if u, ok := s.Type.(*Unsupported); ok {
		names = u.Uses
	}
	for _, name := range names {
		if lvs[name] == nil {
			return fmt.Errorf("%q is not an LV of the VG", clip(name))
		}
	}
	return nil
}

func (a *Area) resolve(extents uint64, pvs map[string]*PhysicalVolume, lvs map[string]*LV) error {
	var size uint64
	if p := pvs[a.name]; p != nil {
		a.PV, size = p.ID, uint64(p.Extents)
	} else if l := lvs[a.name]; l != nil {
		a.LV, size = l.Name, l.Extents()
	} else {
		return fmt.Errorf("%q is not a PV or an LV of the VG", clip(a.name))
	}
	if uint64(a.Extent)+extents > size {
		return fmt.Errorf("extents %d to %d are beyond the %d of %s", a.Extent, uint64(a.Extent)+extents, size, clip(a.name))
	}
	a.name = ""
	return nil
}

// unknownStatus returns a word of an LV's status that this package does not know: lvm2 reads no LV
// with one (lib/format_text/flags.c: read_flags).
func (l *LV) unknownStatus() string {
	for _, word := range l.Status {
		switch word {
		case "READ", "WRITE", "VISIBLE", "FIXED_MINOR", "NOTSYNCED", "REBUILD", "WRITEMOSTLY", "LOCKED", "PVMOVE":
		default:
			return word
		}
	}
	return ""
}

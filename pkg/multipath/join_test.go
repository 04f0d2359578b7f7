package multipath

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// change makes disks from one another.
type change func(*Path)

func target(name string) change { return func(p *Path) { p.Target = name } }
func lun(n uint64) change       { return func(p *Path) { p.LUN = n } }
func size(n int64) change       { return func(p *Path) { p.Size = n } }
func id(id ID) change           { return func(p *Path) { p.ID = id } }
func vendor(name string) change { return func(p *Path) { p.Vendor = name } }
func content(s string) change   { return func(p *Path) { p.Content = s } }
func notGlobal(p *Path)         { p.Global = false }
func withoutID(p *Path)         { p.ID, p.Global = "", false }

func with(name string, changes ...change) Path {
	p := disk(name)
	for _, c := range changes {
		c(&p)
	}
	return p
}

// tgt is the first LUN of the first target of any host with tgt.
func tgt(name string, changes ...change) Path {
	return with(name, append([]change{id("360000000000000000e00000000010001"), notGlobal, vendor("IET"), lun(1)}, changes...)...)
}

func TestMaps(t *testing.T) {
	const tgtID = "360000000000000000e00000000010001"
	for _, tt := range []struct {
		name    string
		paths   []Path
		allow   []ID
		want    string
		refused string // in each refusal, in their order, separated by |
	}{
		{"none", nil, nil, "", ""},
		{"one disk", []Path{disk("sda")}, nil, "3600[sda]", ""},
		{"two portals", []Path{disk("sda"), disk("sdb")}, nil, "3600[sda sdb]", ""},
		{"two LUNs with two portals", []Path{disk("sda"), with("sdb", id("3601"), lun(1)), disk("sdc"), with("sdd", id("3601"), lun(1))}, nil, "3600[sda sdc] 3601[sdb sdd]", ""},
		{"two targets", []Path{with("sda", content("1")), with("sdb", target("iqn.x:b"), lun(7), content("1"))}, nil, "3600[sda sdb]", ""},
		{"two targets, given", []Path{with("sda", content("1")), with("sdb", target("iqn.x:b"), content("2"))}, []ID{"3600"}, "3600[sda sdb]", ""},
		{"a copied target", []Path{with("sda", content("1")), with("sdb", target("iqn.x:b"), content("2")), with("sdc", content("1"))}, nil, "3600[sda sdc] [sdb]", "their contents differ: give each LUN"},
		{"two targets that were not read", []Path{disk("sda"), with("sdb", target("iqn.x:b"))}, nil, "3600[sda] [sdb]", "their contents cannot be compared: if they are one LUN, write iscsi_multipath=3600"},
		{"a LUN mapped twice", []Path{disk("sda"), with("sdb", lun(1))}, nil, "3600[sda sdb]", ""},

		{"a clone that grew", []Path{disk("sda"), with("sdb", target("iqn.x:b"), size(2<<20)), with("sdc", target("iqn.x:b"), size(2<<20))}, nil, "3600[sda] [sdb sdc]", "sdb is not joined with sda by multipath: both have WWID 3600, but sdb has 2097152 bytes and sda 1048576: give each LUN a WWID of its own"},
		{"another size in one target", []Path{disk("sda"), with("sdb", size(2<<20))}, nil, "3600[sda] [sdb]", "2097152"},
		{"size not known", []Path{with("sda", size(0)), disk("sdb"), with("sdc", size(0)), with("sdd", size(2<<20))}, nil, "3600[sda sdb sdc] [sdd]", "sdd has 2097152 bytes and sda 1048576"},

		{"tgt, two hosts", []Path{tgt("sda"), tgt("sdb", target("iqn.x:b"))}, nil, tgtID + "[sda] [sdb]", "sdb is not joined with sda by multipath: both have WWID " + tgtID + ", but WWIDs of vendor IET are not unique: if they are one LUN, write iscsi_multipath=" + tgtID},
		{"tgt, two hosts with two portals", []Path{tgt("sda"), tgt("sdb", target("iqn.x:b")), tgt("sdc"), tgt("sdd", target("iqn.x:b"))}, nil, tgtID + "[sda sdc] [sdb sdd]", "sdb"},
		{"tgt, three hosts", []Path{tgt("sda"), tgt("sdb", target("iqn.x:b")), tgt("sdc", target("iqn.x:c"))}, nil, tgtID + "[sda] [sdb] [sdc]", "sdb is not joined with sda|sdc is not joined with sda"},
		{"tgt, given", []Path{tgt("sda"), tgt("sdb", target("iqn.x:b"))}, []ID{"3600", tgtID}, tgtID + "[sda sdb]", ""},
		{"tgt, another given", []Path{tgt("sda"), tgt("sdb", target("iqn.x:b"))}, []ID{"3600"}, tgtID + "[sda] [sdb]", "sdb"},
		{"tgt with a manufacturer's number", []Path{with("sda", vendor("IET")), with("sdb", vendor("IET"), target("iqn.x:b"))}, nil, "3600[sda] [sdb]", "vendor IET"},
		{"given, of two sizes", []Path{disk("sda"), with("sdb", size(2<<20))}, []ID{"3600"}, "3600[sda] [sdb]", "2097152"},

		{"no manufacturer's number", []Path{with("sda", notGlobal), with("sdb", notGlobal, target("iqn.x:b"))}, nil, "3600[sda] [sdb]", "it has no manufacturer's number, so it may not be unique: if they are one LUN, write iscsi_multipath=3600"},
		{"no manufacturer's number, two portals", []Path{with("sda", notGlobal), with("sdb", notGlobal)}, nil, "3600[sda sdb]", ""},
		{"no manufacturer's number, two LUNs", []Path{with("sda", notGlobal), with("sdb", notGlobal, lun(1))}, nil, "3600[sda] [sdb]", "manufacturer"},
		{"no manufacturer's number, given", []Path{with("sda", notGlobal), with("sdb", notGlobal, target("iqn.x:b"))}, []ID{"3600"}, "3600[sda sdb]", ""},

		{"no WWID", []Path{with("sda", withoutID), with("sdb", withoutID), with("sdc", withoutID, lun(1)), with("sdd", withoutID, target("iqn.x:b")), with("sde", withoutID, size(2<<20))}, nil, "[sda sdb] [sdc] [sdd] [sde]", "sdb is not joined with sda by multipath: the LUN has no WWID: one of the two is used, as a disk"},
		{"no WWID, given", []Path{with("sda", withoutID), with("sdb", withoutID, target("iqn.x:b"))}, []ID{""}, "[sda] [sdb]", ""},
	} {
		maps, refused := Maps(tt.paths, tt.allow)
		if got := brief(maps...); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		var want []string
		if tt.refused != "" {
			want = strings.Split(tt.refused, "|")
		}
		if !slices.EqualFunc(refused, want, func(r Refusal, part string) bool { return strings.Contains(r.String(), part) }) {
			t.Errorf("%s: refused %v, want %q", tt.name, refused, want)
		}
	}
}

// Each path is in one map, those of a map are the same LUN and those of two are not, names are
// taken once, and maps and paths keep the order of the disks. Refused is what has the WWID of
// another.
func TestMapsProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) int { return random.IntN(n) }
	for range 2000 {
		var paths []Path
		for i := range pick(9) {
			p := with("sd"+string(rune('a'+i)), id([]ID{"3600", "3601", ""}[pick(3)]), lun(uint64(pick(2))), size(int64(1+pick(2))<<20),
				vendor([]string{"LIO-ORG", "IET"}[pick(2)]), target([]string{"iqn.x:a", "iqn.x:b"}[pick(2)]))
			p.Global, p.Access = pick(2) == 0, []Access{Optimized, NonOptimized}[pick(2)]
			paths = append(paths, p)
		}
		allow := []ID{"3601"}[:pick(2)]
		maps, refused := Maps(paths, allow)
		mapOf := map[string]int{}
		var names []ID
		last := ""
		for i, m := range maps {
			if m.ID != "" && slices.Contains(names, m.ID) {
				t.Fatalf("%+v: %s twice", paths, m.ID)
			}
			names = append(names, m.ID)
			first := "sdz"
			for _, g := range m.Groups {
				if !slices.IsSortedFunc(g, func(x, y Path) int { return strings.Compare(x.Disk, y.Disk) }) {
					t.Fatalf("%+v: order %s", paths, brief(m))
				}
				for _, p := range g {
					if _, twice := mapOf[p.Disk]; twice {
						t.Fatalf("%+v: %s twice", paths, p.Disk)
					}
					mapOf[p.Disk], first = i, min(first, p.Disk)
				}
			}
			if first <= last {
				t.Fatalf("%+v: order %s", paths, brief(maps...))
			}
			last = first
		}
		if len(mapOf) != len(paths) {
			t.Fatalf("%+v: %d paths in %s", paths, len(mapOf), brief(maps...))
		}
		for _, p := range paths {
			for _, q := range paths {
				if (mapOf[p.Disk] == mapOf[q.Disk]) != Same(p, q, allow) {
					t.Fatalf("%s and %s: %s", p.Disk, q.Disk, brief(maps...))
				}
			}
		}
		for _, r := range refused {
			a, b := maps[mapOf[r.Disk]], maps[mapOf[r.With]]
			if a.ID != "" || a.first().ID != b.first().ID || (mapOf[r.Disk] == mapOf[r.With]) != (a.first().ID == "") {
				t.Fatalf("refused %v: %s", r, brief(maps...))
			}
		}
	}
}

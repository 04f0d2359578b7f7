package volumes

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

const someFacts = `one disk 0 254:0 0
one disk 0 254:2 10240
one disk 1 254:16 0
one array mirror 9:127 raid1 254:2 2048 4096
one array mirror 9:127 raid1 254:16 2048 4096
one array above 9:126 raid1 253:0 2048 4096
one array stripes 9:125 raid0 254:2 2048 4096
one table vg-root: 0 20480 linear 254:2 2048
one table vg-long: 0 20480 linear 254:2 22528
one table vg-long: 20480 4096 linear 254:16 2048
one table vg-thin: 0 131072 thin 253:2 1
one table vg-above: 0 4096 linear 253:0 0
one table vg-mirrored: 0 1024 linear 9:127 512
one table vg-striped: 0 1024 linear 9:125 512
two disk 0 254:32 0
two table vg-root: 0 4096 linear 254:32 4096
`

// A volume's place is that in its disk, behind the start of the partition with the PV.
func TestParseFacts(t *testing.T) {
	got, err := parseFacts(someFacts, "one")
	want := told{map[string][]Piece{
		"vg-root":     {{0, (10240 + 2048) * 512, 20480 * 512}},
		"vg-long":     {{0, (10240 + 22528) * 512, 20480 * 512}, {1, 2048 * 512, 4096 * 512}},
		"vg-thin":     {{Disk: -1}},
		"vg-above":    {{-1, 0, 4096 * 512}},
		"vg-mirrored": {{-1, 512 * 512, 1024 * 512}},
		"vg-striped":  {{-1, 512 * 512, 1024 * 512}},
	}, map[string][]Piece{
		"mirror":      {{0, (10240 + 2048) * 512, 4096 * 512}, {1, 2048 * 512, 4096 * 512}},
		"above":       {{-1, 2048 * 512, 4096 * 512}},
		"stripes":     {{0, (10240 + 2048) * 512, 4096 * 512}},
		"vg-mirrored": {{0, (10240 + 2048 + 512) * 512, 1024 * 512}, {1, (2048 + 512) * 512, 1024 * 512}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{
		"one disk x 254:0 0", "one disk 0 254:0 x", "one table vg-root: 0 20480", "one table vg-root: 0 8 linear 254:2",
		"one table vg-root: 0 8 linear 254:2 x", "one array a 9:1 raid1 254:2 x 8", "one array a 9:1 raid1 254:2 8 x", "one array a 9:1 raid1 254:2 8",
	} {
		if got, err := parseFacts("one disk 0 254:2 0\n"+line+"\n", "one"); err == nil {
			t.Errorf("%s: %+v, no error", line, got)
		}
	}
}

// Only a volume in one piece on one disk is one that the host can read.
func TestLinear(t *testing.T) {
	told, err := parseFacts(someFacts, "one")
	if err != nil {
		t.Fatal(err)
	}
	g := &Group{Paths: []string{"first", "second"}, told: told}
	if d, err := g.Linear("vg-root"); err != nil || d.Path != "first" {
		t.Errorf("%+v, %v", d, err)
	}
	for name, want := range map[string]error{"vg-none": errNoVolume, "vg-long": errNotLinear, "vg-thin": errNotLinear} {
		if d, err := g.Linear(name); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v, want %v", name, d, err, want)
		}
	}
}

// A member that is on no disk alone is none that the host can read.
func TestMembers(t *testing.T) {
	told, err := parseFacts(someFacts, "one")
	if err != nil {
		t.Fatal(err)
	}
	g := &Group{told: told}
	if got, err := g.Members("mirror"); err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, name := range []string{"above", "none"} {
		if got, err := g.Members(name); !errors.Is(err, errNoArray) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The guest's lines count only if it got to its end.
func TestFacts(t *testing.T) {
	const output = "recipe one begins\nfact: one disk 0 254:0 0\n  Volume group\nfact: one table a: 0 8 zero\n"
	if got, err := factsOf(output + "guest: done\n[    9.0] reboot: Power down\n"); err != nil || got != "one disk 0 254:0 0\none table a: 0 8 zero\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := factsOf(output); !errors.Is(err, errGuest) || !strings.Contains(err.Error(), "Volume group") {
		t.Errorf("%q, %v", got, err)
	}
}

// What a set consists of is in its checksum.
func TestSum(t *testing.T) {
	g := &guest{lvm: &files{"trees/lvm2_1"}, mdadm: &files{"trees/mdadm_1"}}
	g.kernel.Release = "6.1"
	base := Set{Name: "s", Recipes: []Recipe{{Name: "one", Disks: []Disk{{MiB: 8}}, Commands: "true\n"}}}
	seen := map[string]string{}
	note := func(what string, g *guest, s Set) {
		t.Helper()
		sum, err := s.sum(g)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[sum]; ok {
			t.Errorf("%s has the checksum of %s", what, other)
		}
		seen[sum] = what
	}
	note("the set", g, base)
	note("another lvm2", &guest{lvm: &files{"trees/lvm2_2"}, mdadm: g.mdadm, kernel: g.kernel}, base)
	note("another mdadm", &guest{lvm: g.lvm, mdadm: &files{"trees/mdadm_2"}, kernel: g.kernel}, base)
	other := *g
	other.kernel.Release = "6.12"
	note("another kernel", &other, base)
	changed := base
	changed.Recipes = []Recipe{{Name: "one", Disks: []Disk{{MiB: 9}}, Commands: "true\n"}}
	note("a larger disk", g, changed)
	changed.Recipes = []Recipe{{Name: "one", Disks: []Disk{{MiB: 8}}, Commands: "false\n"}}
	note("other commands", g, changed)
	for _, content := range []string{"a", "b"} {
		changed = base
		changed.Contents = contents(content)
		note("content "+content, g, changed)
	}
}

func contents(text string) map[string]images.Filesystem {
	return map[string]images.Filesystem{"root": {MiB: 8, Tree: images.Tree{"etc/name": images.Text(text)}}}
}

// Root's content is in the volume, on the members of an array below it, in the images of a mirror,
// or in the origin of a thin volume.
func TestRootCopies(t *testing.T) {
	const disks = "d disk 0 254:0 0\nd disk 1 254:16 0\n"
	for _, tt := range []struct {
		name, tables string
		want         []Piece
	}{
		{"plain", "d table vg-root: 0 8 linear 254:0 4\n", []Piece{{0, 4 * 512, 8 * 512}}},
		{"array", "d array pv 9:127 raid1 254:0 2 16\nd array pv 9:127 raid1 254:16 6 16\nd table vg-root: 0 8 linear 9:127 4\n", []Piece{{0, 6 * 512, 8 * 512}, {1, 10 * 512, 8 * 512}}},
		{
			"mirror", "d table vg-root: 0 8 raid raid1 3 0 region_size 4096 2 253:0 253:1 253:2 253:3\nd table vg-root_rimage_0: 0 8 linear 254:0 4\nd table vg-root_rimage_1: 0 8 linear 254:16 2\n",
			[]Piece{{0, 4 * 512, 8 * 512}, {1, 2 * 512, 8 * 512}},
		},
		{"thin", "d table vg-root: 0 8 thin 253:4 1 253:5\nd table vg-root_ro-real: 0 8 linear 254:0 4\n", []Piece{{0, 4 * 512, 8 * 512}}},
		{"in two pieces", "d table vg-root: 0 8 linear 254:0 4\nd table vg-root: 8 8 linear 254:0 40\n", nil},
		{"on the second disk", "d table vg-root: 0 8 linear 254:16 4\n", nil},
		{"no root", "", nil},
	} {
		told, err := parseFacts(disks+tt.tables, "d")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := told.rootCopies(); !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}

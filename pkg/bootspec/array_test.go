package bootspec_test

import (
	"fmt"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

const (
	arrayA = "3aaa012229827cfa5331ad66ca767371"
	arrayB = "00000000000000000000000000000001"
)

var arrayGoods = []good{
	{"rd.md.uuid", "3AAA0122:29827cfa:5331ad66:ca767371", arrays("3aaa012229827cfa5331ad66ca767371")},
	{"rd.md.uuid", "md-uuid-3aaa0122-2982-7cfa-5331-ad66ca767371", arrays("3aaa012229827cfa5331ad66ca767371")},
	{"rd.md", "0", noArrays(true)},
	{"rd.md", "1", noArrays(false)},
	{"rd_NO_MD", "-", noArrays(true)},
	{"rd.auto", "-", mdSetting("no effect: the arrays that root may be on are started")},
	{"rd.auto", "0", mdSetting("no effect: the arrays that root may be on are started")},
	{"rd.md.conf", "0", mdSetting("no effect: arrays are found by their superblocks")},
	{"rd.md.imsm", "0", mdSetting("no effect: arrays of a firmware are not supported")},
	{"rd.md.imsm", "-", mdSetting("no effect: arrays of a firmware are not supported")},
	{"rd.md.waitclean", "1", mdSetting("no effect: arrays are stopped at shutdown")},
}

func arrays(uuid string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.MD.UUIDs = append(p.Root.MD.UUIDs, from(uuid, source)) }
}

func noArrays(v bool) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) { p.Root.MD.Off = from(v, source) }
}

func mdSetting(effect string) func(*bootspec.Plan, string) {
	return func(p *bootspec.Plan, source string) {
		p.Root.MD.Other = append(p.Root.MD.Other, bootspec.Setting{What: "md setting", Value: effect, From: source})
	}
}

// Each name of an array and of its partitions, among several arrays and alone.
func TestArrayNames(t *testing.T) {
	several := []bootspec.ArrayID{{arrayA, "host:root"}, {arrayB, "0"}, {"", "data1"}, {"", "twin"}, {"", "other:twin"}, {"", "x9"}}
	for name, want := range map[string]string{ // the arrays and the partition, among several
		"/dev/md/root":                   "[0] 0",
		"/dev/md/host:root":              "[0] 0",
		"/dev/md_root":                   "[0] 0",
		"/dev/md/root_0":                 "[0] 0",
		"/dev/md/root1":                  "[0] 1",
		"/dev/md/root12":                 "[0] 12",
		"/dev/md/rootp1":                 "[] 0",
		"/dev/md/0":                      "[1] 0",
		"/dev/md0":                       "[1] 0",
		"/dev/md0p3":                     "[1] 3",
		"/dev/md/0p3":                    "[1] 3",
		"/dev/md/data1":                  "[2] 0",
		"/dev/md/data1p2":                "[2] 2",
		"/dev/md/x9":                     "[5] 0",
		"/dev/md/x9p300":                 "[] 0",
		"/dev/md/twin":                   "[3 4] 0",
		"/dev/md/other:twin":             "[4] 0",
		"/dev/md127":                     "[] 0",
		"/dev/disk/by-id/md-name-0":      "[1] 0",
		"/dev/disk/by-id/md-name-0-part": "",
		"/dev/disk/by-id/md-name-host:root-part4":                           "[0] 4",
		"/dev/disk/by-id/md-uuid-3AAA0122:29827cfa:5331ad66:ca767371-part2": "[0] 2",
		"/dev/disk/by-id/md-uuid-00000000-0000-0000-0000-000000000001":      "[1] 0",
		"/dev/disk/by-id/md-uuid-00000000:00000000:00000000:00000002":       "[] 0",
		"/dev/sda1": "[] 0", "/dev/mapper/md-root": "[] 0",
	} {
		d, ok := bootspec.ParseDevice(name)
		if ok != (want != "") {
			t.Errorf("%s is a device: %v", name, ok)
		}
		if found, partition := d.Array(several, true); want != "" && fmt.Sprint(found, partition) != want {
			t.Errorf("%s: %v, partition %d, want %s", name, found, partition, want)
		}
	}
	for name, want := range map[string]string{ // where there is one array
		"/dev/md127": "[0] 0", "/dev/md0p2": "[0] 2", "/dev/md_0": "[] 0", "/dev/md/0": "[] 0", "/dev/md/other": "[] 0",
	} {
		d, _ := bootspec.ParseDevice(name)
		if found, partition := d.Array(several[:1], true); fmt.Sprint(found, partition) != want {
			t.Errorf("%s alone: %v, partition %d, want %s", name, found, partition, want)
		}
		if found, _ := d.Array(several[:1], false); len(found) > 0 {
			t.Errorf("%s: %v, while others may come", name, found)
		}
	}
}

// The arrays that are started to look for root, and what explain shows of the words.
func TestArraysToStart(t *testing.T) {
	for line, want := range map[string][2]bool{ // A, B
		"":                             {true, true},
		"rd.auto rd.md.conf=0":         {true, true},
		"rd.md.uuid=" + arrayA:         {true, false},
		"rd_MD_UUID=" + arrayB:         {false, true},
		"rd.md=0 rd.md.uuid=" + arrayA: {false, false},
		"rd_NO_MD":                     {false, false},
		"rd.md=0 rd.md=1":              {true, true},
		"rd.md.uuid=" + arrayA + " rd.md.uuid=" + arrayB: {true, true},
		"rd.md.uuid=x": {true, true},
	} {
		plan, err := parse("quiet " + line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if got := [2]bool{plan.Root.MD.Allows(arrayA), plan.Root.MD.Allows(arrayB)}; got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	plan, err := parse("quiet rd.md.uuid=x")
	if err != nil || len(plan.Warnings) != 1 || plan.Warnings[0] != "rd.md.uuid= is ignored: write rd.md.uuid=UUID, as mdadm --detail shows it" {
		t.Errorf("%v, warnings %q", err, plan.Warnings)
	}
}

// FuzzArrayName: a name of an array is found as its name, and printed as it is read.
func FuzzArrayName(f *testing.F) {
	f.Add("md/", "root")
	f.Add("md_", "host:0")
	f.Add("md", "127p2")
	f.Add("disk/by-id/md-name-", "a-part1")
	f.Fuzz(func(t *testing.T, dir, name string) {
		d, ok := bootspec.ParseDevice("/dev/" + dir + name)
		if !ok || d.By != bootspec.ByArray {
			return
		}
		if again, ok := bootspec.ParseDevice(d.String()); !ok || again != d {
			t.Errorf("%+v is printed as %s, which is read as %+v", d, d, again)
		}
		if found, partition := d.Array([]bootspec.ArrayID{{Name: "other"}, {Name: name}}, true); dir == "md/" && (len(found) != 1 || found[0] != 1 || partition != 0) {
			t.Errorf("%s: %v, partition %d", d, found, partition)
		}
	})
}

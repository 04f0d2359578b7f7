package array

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// tree is a sysfs: files by path, and links, whose text begins with "-> ".
type tree map[string]string

func (files tree) paths(t *testing.T) Paths {
	t.Helper()
	p := Paths{Sys: t.TempDir(), Dev: t.TempDir()}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(p.Sys, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(files[name], "-> "); ok {
			err = errors.Join(err, os.Symlink(target, path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(files[name]+"\n"), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// mirror is a raid1 that is rebuilt onto sdc1, after the disk with sdb1 went; sda1 is a spare.
func mirror() tree {
	return tree{
		"devices/x/block/sda/sda1/dev": "8:1", "devices/x/block/sdc/sdc1/dev": "8:33",
		"block/md127/size":     "18432",
		"block/md127/md/level": "raid1", "block/md127/md/metadata_version": "1.2",
		"block/md127/md/raid_disks": "2", "block/md127/md/array_state": "active",
		"block/md127/md/degraded": "1", "block/md127/md/sync_action": "recover",
		"block/md127/md/sync_completed": "1024 / 18432", "block/md127/md/sync_speed": "512",
		"block/md127/md/dev-sda1/slot": "none", "block/md127/md/dev-sda1/state": "spare",
		"block/md127/md/dev-sda1/block": "-> ../../../../devices/x/block/sda/sda1",
		"block/md127/md/dev-sdb1/slot":  "1", "block/md127/md/dev-sdb1/state": "faulty,write_mostly",
		"block/md127/md/dev-sdb1/block": "-> ../../../../devices/x/block/sdb/sdb1",
		"block/md127/md/dev-sdc1/slot":  "0", "block/md127/md/dev-sdc1/state": "in_sync",
		"block/md127/md/dev-sdc1/block": "-> ../../../../devices/x/block/sdc/sdc1",
		"block/sda/dev":                 "8:0",
		"block/md5/md/array_state":      "inactive",
		"block/md6/md/array_state":      "clear",
		"block/md_home/md/array_state":  "readonly",
	}
}

func TestState(t *testing.T) {
	got, err := mirror().paths(t).State("md127")
	want := State{
		Level: "raid1", Metadata: "1.2", Sectors: 18432, Disks: 2, Degraded: 1, ArrayState: "active",
		SyncAction: "recover", Done: 1024, Total: 18432, Speed: 512,
		Members: []MemberState{
			{"sdc1", Number{8, 33}, 0, []string{"in_sync"}},
			{"", Number{}, 1, []string{"faulty", "write_mostly"}},
			{"sda1", Number{8, 1}, -1, []string{"spare"}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// An array without redundancy lacks attributes, an idle one has no numbers in them.
func TestStateLess(t *testing.T) {
	files := mirror()
	for _, name := range []string{"degraded", "sync_action", "sync_completed", "sync_speed"} {
		delete(files, "block/md127/md/"+name)
	}
	files["block/md127/md/level"] = "raid0"
	got, err := files.paths(t).State("md127")
	if err != nil || got.Level != "raid0" || got.SyncAction != "" || got.Degraded != 0 || got.Total != 0 || len(got.Members) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, completed := range []string{"none", "delayed"} {
		files := mirror()
		files["block/md127/md/sync_completed"], files["block/md127/md/sync_speed"] = completed, "none"
		if got, err := files.paths(t).State("md127"); err != nil || got.Done != 0 || got.Total != 0 || got.Speed != 0 {
			t.Errorf("%s: %+v, %v", completed, got, err)
		}
	}
}

// While a reshape is under way the number of slots before it stands beside that after it.
func TestStateReshape(t *testing.T) {
	files := mirror()
	files["block/md127/md/raid_disks"], files["block/md127/md/sync_action"] = "3 (2)", "reshape"
	if got, err := files.paths(t).State("md127"); err != nil || got.Disks != 3 || got.SyncAction != "reshape" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestStateErrors(t *testing.T) {
	for name, text := range map[string]string{
		"block/md127/md/raid_disks": "two", "block/md127/md/degraded": "-1", "block/md127/md/sync_speed": "fast",
		"devices/x/block/sdc/sdc1/dev": "8", "block/md127/size": "",
	} {
		files := mirror()
		files[name] = text
		if got, err := files.paths(t).State("md127"); err == nil || !strings.HasPrefix(err.Error(), "get state of array md127: ") {
			t.Errorf("%s %q: %+v, %v", name, text, got, err)
		}
	}
	p := mirror().paths(t)
	if _, err := p.State("md1"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := p.State("sda"); !errors.Is(err, errName) {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	if got, err := mirror().paths(t).List(); err != nil || !slices.Equal(got, []string{"md127", "md_home"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := (Paths{Sys: t.TempDir()}).List(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", got, err)
	}
}

// Only names that the kernel takes, and makes a device of the same name of, are taken.
func TestCheckName(t *testing.T) {
	for _, name := range []string{"md0", "md127", "md1048575", "md_home", "md_" + strings.Repeat("x", 28)} {
		if err := checkName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "md", "md_", "md-1", "md1048576", "md007", "mdx", "sda", "md_a/b", "md_../x", "md_x\n", "md_" + strings.Repeat("x", 29)} {
		if err := checkName(name); !errors.Is(err, errName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A failed member is removed, whether its device is there or not; others stay.
func TestRemoveFailed(t *testing.T) {
	for name, c := range map[string]struct{ dir, state, degraded, want string }{
		"gone":                         {"dev-sdb1", "faulty,write_mostly", "1", "remove"},
		"gone, and not noticed":        {"dev-sdb1", "in_sync", "0", "remove"},
		"gone, and the array needs it": {"dev-sdb1", "in_sync", "1", "in_sync"},
		"there":                        {"dev-sdc1", "faulty", "1", "remove"},
		"works":                        {"dev-sdc1", "in_sync", "0", "in_sync"},
		"a spare":                      {"dev-sda1", "spare", "0", "spare"},
	} {
		files := mirror()
		files["block/md127/md/"+c.dir+"/state"], files["block/md127/md/degraded"] = c.state, c.degraded
		if c.dir != "dev-sdb1" {
			delete(files, "block/md127/md/dev-sdb1/slot") // as of one that is being removed
		}
		p := files.paths(t)
		if err := p.RemoveFailed("md127"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := readText(filepath.Join(p.md("md127"), c.dir, "state"))
		if err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: wrote %q, %v, want %q", name, got, err, c.want)
		}
	}
}

// What an array can do without.
func TestTolerates(t *testing.T) {
	for s, want := range map[redundancy]bool{
		{"raid1", 2, 0}: true, {"raid1", 2, 1}: false, {"raid1", 3, 1}: true, {"raid1", 1, 0}: false,
		{"raid4", 3, 0}: true, {"raid5", 3, 0}: true, {"raid5", 3, 1}: false,
		{"raid6", 4, 1}: true, {"raid6", 4, 2}: false, {"raid10", 4, 0}: true, {"raid10", 4, 1}: false,
		{"raid0", 2, 0}: false, {"linear", 2, 0}: false,
	} {
		if got := (&State{Level: s.level, Disks: s.disks, Degraded: s.degraded}).tolerates(); got != want {
			t.Errorf("%+v: %v", s, got)
		}
	}
}

type redundancy struct {
	level           string
	disks, degraded int
}

// What is read is written again as it was; what is not understood is nothing.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"8:33", "1024 / 204800", "none", "delayed", "0", "259:1048575", "journal"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseNumber(text); err == nil {
			if again, err := parseNumber(n.String()); err != nil || again != n {
				t.Errorf("%q: %v, then %v, %v", text, n, again, err)
			}
		}
		if done, total := parseProgress(text); !strings.Contains(text, " / ") && (done != 0 || total != 0) {
			t.Errorf("%q: %d of %d", text, done, total)
		}
		if slot := parseSlot(text); slot < -1 || slot > 0xffff {
			t.Errorf("%q: %d", text, slot)
		}
	})
}

package udevdb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRecords(t *testing.T) {
	for want, r := range map[string]Record{
		"E:DM_UDEV_PRIMARY_SOURCE_FLAG=1\nV:1\n": DM(253, 0, false),
		"E:LVM_MD_PV_ACTIVATED=1\nV:1\n":         Array(127),
		"E:DM_UDEV_PRIMARY_SOURCE_FLAG=1\nE:DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG=1\nE:DM_UDEV_DISABLE_DISK_RULES_FLAG=1\n" +
			"E:DM_UDEV_DISABLE_OTHER_RULES_FLAG=1\nE:DM_COOKIE_DISABLE_OTHER_RULES_FLAG=1\nV:1\n": DM(253, 1, true),
		"E:DM_UDEV_PRIMARY_SOURCE_FLAG=1\nE:MPATH_DEVICE_READY=1\nV:1\n": DM(253, 2, false, Property{"MPATH_DEVICE_READY", "1"}),
	} {
		if got, err := r.Text(); err != nil || got != want {
			t.Errorf("%v: %q, %v, want %q", r, got, err, want)
		}
	}
	if got := Array(127).Path(); got != "udev/data/b9:127" {
		t.Error(got)
	}
	if got := DM(253, 1048575, false).Path(); got != "udev/data/b253:1048575" {
		t.Error(got)
	}
	for _, p := range []Property{{"", "1"}, {".A", "1"}, {"A B", "1"}, {"A=B", "1"}, {"A\n", "1"}, {"A", ""}, {"A", "1\nE:B=2"}, {"A", "1\x00"}} {
		if got, err := DM(253, 0, false, p).Text(); !errors.Is(err, errProperty) {
			t.Errorf("%q: %q, %v", p, got, err)
		}
	}
}

// parse reads a record as systemd does (src/libsystemd/sd-device/sd-device.c: handle_db_line):
// lines KEY:VALUE, of which E has a property.
func parse(path, text string) (Record, bool) {
	var r Record
	major, minor, ok := strings.Cut(strings.TrimPrefix(path, "udev/data/b"), ":")
	x, err1 := strconv.ParseUint(major, 10, 32)
	y, err2 := strconv.ParseUint(minor, 10, 32)
	r.Major, r.Minor = uint32(x), uint32(y)
	last := ""
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimRight(line, "\n\r"), ":")
		ok = ok && found
		if key == "E" {
			name, v, _ := strings.Cut(value, "=")
			r.Properties = append(r.Properties, Property{name, v})
		}
		last = line
	}
	return r, ok && err1 == nil && err2 == nil && last == "V:1\n"
}

// FuzzRecord: what a record's text holds is the record.
func FuzzRecord(f *testing.F) {
	f.Add(uint32(253), uint32(7), true, "MPATH_DEVICE_READY", "1")
	f.Fuzz(func(t *testing.T, major, minor uint32, hidden bool, key, value string) {
		r := DM(major, minor, hidden, Property{key, value})
		text, err := r.Text()
		if err != nil {
			return
		}
		if got, ok := parse(r.Path(), text); !ok || !reflect.DeepEqual(got, r) {
			t.Errorf("%q of %+v is read as %+v, %v", text, r, got, ok)
		}
	})
}

func TestHasRules(t *testing.T) {
	for name, want := range map[string]bool{
		"usr/lib/udev/rules.d/55-dm.rules":                    true,
		"lib/udev/rules.d/10-dm.rules":                        true,
		"etc/udev/rules.d/10-dm.rules":                        true,
		"usr/lib/udev/rules.d/60-persistent-storage-dm.rules": false,
		"usr/lib/udev/rules.d/60-persistent-storage.rules":    false,
	} {
		if got := HasRules(fstest.MapFS{name: {}}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Each line of the rules is a comment, or keys with an operator and a value in quotes; each GOTO
// has its LABEL behind it.
func TestRules(t *testing.T) {
	text, err := Rules([]Link{{"vg-root", "vg/root"}, {"my--vg-home", "my-vg/home"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`ENV{DM_NAME}=="vg-root", SYMLINK+="vg/root"`, `ENV{DM_NAME}=="my--vg-home", SYMLINK+="my-vg/home"`} {
		before, after, ok := strings.Cut(text, line+"\n")
		if !ok || !strings.Contains(before, `DISABLE_DISK_RULES_FLAG}=="1", GOTO`) || !strings.Contains(after, `DM_SUSPENDED}=="1", GOTO`) {
			t.Errorf("%s is not where visible devices pass", line)
		}
	}
	awaited := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		for _, term := range strings.Split(line, ", ") {
			parts := strings.Split(term, `"`)
			if len(parts) != 3 || parts[2] != "" || !strings.HasSuffix(parts[0], "=") {
				t.Errorf("line %s: %q", line, term)
				continue
			}
			switch parts[0] {
			case "GOTO=":
				awaited[parts[1]] = true
			case "LABEL=":
				delete(awaited, parts[1])
			}
		}
	}
	if len(awaited) != 0 {
		t.Errorf("no label behind: %v", awaited)
	}
	for _, l := range []Link{{"", "vg/root"}, {"vg-root", ""}, {"a\"", "a"}, {"a", "a b"}, {"a*", "a"}, {"a", "$env{X}"}, {"a", "../b"}, {"a", "/b"}, {"a", "%k"}} {
		if got, err := Rules([]Link{l}); err == nil {
			t.Errorf("%q: %s", l, got)
		}
	}
}

func TestWrite(t *testing.T) {
	run := t.TempDir()
	if err := os.MkdirAll(filepath.Join(run, "udev/data/b253:1/directory"), 0o755); err != nil { // cannot be replaced
		t.Fatal(err)
	}
	records := []Record{DM(253, 0, false), DM(253, 1, true), DM(253, 2, false, Property{"A", ""}), DM(253, 3, true)}
	for range 2 { // the second time over the first's
		err := Write(run, records, "# rules\n")
		if !errors.Is(err, fs.ErrExist) || !errors.Is(err, errProperty) {
			t.Errorf("%v", err)
		}
	}
	got := map[string]string{}
	err := filepath.WalkDir(run, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(run, path)
		got[name] = string(text)
		if info, err := d.Info(); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		return err
	})
	first, _ := records[0].Text()
	last, _ := records[3].Text()
	want := map[string]string{"udev/data/b253:0": first, "udev/data/b253:3": last, "udev/rules.d/60-iscsiroot-dm.rules": "# rules\n"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	empty := t.TempDir()
	if err := Write(empty, nil, ""); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// A later attempt to hand over leaves no record of what an earlier one had made, and no rules.
func TestClear(t *testing.T) {
	run := t.TempDir()
	if err := Clear(run); err != nil {
		t.Error(err)
	}
	if err := Write(run, []Record{DM(253, 0, false), DM(253, 1, true)}, "rules\n"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(run, dataDir, "n2") // of a NIC
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Clear(run), Write(run, []Record{DM(253, 0, false)}, "")); err != nil {
		t.Fatal(err)
	}
	var left []string
	err := filepath.WalkDir(run, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if err != nil || strings.Join(left, " ") != "b253:0 n2" {
		t.Errorf("left are %q, %v", left, err)
	}
}

package lvm_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// diskSize is that of the disks of scripts/lvm-testdata.
const diskSize = 64 << 20

// sparse is a disk of which only parts are kept; the rest reads as zeros.
type sparse struct {
	size  int64
	parts map[int64][]byte
}

func (s sparse) ReadAt(b []byte, at int64) (int, error) {
	if at >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), s.size-at))
	clear(b[:n])
	for start, part := range s.parts {
		from, to := max(at, start), min(at+int64(n), start+int64(len(part)))
		if from < to {
			copy(b[from-at:to-at], part[from-start:])
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func unpack(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// disks returns the disks of a case of testdata, by their numbers: "254:16".
func disks(t testing.TB, name string) map[string]sparse {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata for ", name, err)
	}
	out := map[string]sparse{}
	for _, f := range files {
		base, end := strings.CutSuffix(strings.TrimSuffix(filepath.Base(f), ".gz"), "-end")
		number := strings.ReplaceAll(base, "-", ":")
		if _, ok := out[number]; !ok {
			out[number] = sparse{diskSize, map[int64][]byte{}}
		}
		at := int64(0)
		if end {
			at = diskSize - 1<<20
		}
		out[number].parts[at] = unpack(t, f)
	}
	return out
}

// found reads the PVs of a case; their places are the disks' numbers.
func found(t testing.TB, name string) []lvm.Found {
	t.Helper()
	all := disks(t, name)
	var out []lvm.Found
	for _, number := range slices.Sorted(maps.Keys(all)) {
		pv, err := lvm.ReadPV(all[number], diskSize)
		if err != nil {
			t.Fatalf("%s, disk %s: %v", name, number, err)
		}
		out = append(out, lvm.Found{Place: number, PV: pv})
	}
	return out
}

// group returns the VG of a case that has one.
func group(t testing.TB, name string) *lvm.Group {
	t.Helper()
	groups, problems := lvm.Assemble(found(t, name))
	if len(groups) != 1 || len(problems) > 0 {
		t.Fatalf("%s: %d groups, problems %v", name, len(groups), problems)
	}
	return &groups[0]
}

// loaded is a device as the kernel had it.
type loaded struct {
	uuid   string
	number table.Number
	table  table.Table
}

// loadedBy reads what dmsetup printed. Targets that this project does not load have no lines.
func loadedBy(t testing.TB, name string) map[string]loaded {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name, "tables"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]loaded{}
	current := ""
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		if _, err := strconv.Atoi(w[0]); err != nil {
			current = w[0]
			out[current] = loaded{uuid: w[1], number: number(t, w[2])}
			continue
		}
		d := out[current]
		d.table = append(d.table, tableLine(t, w)...)
		out[current] = d
	}
	return out
}

func number(t testing.TB, text string) table.Number {
	t.Helper()
	n, err := table.ParseNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tableLine(t testing.TB, w []string) table.Table {
	t.Helper()
	start, err := strconv.ParseUint(w[0], 10, 64)
	length, err2 := strconv.ParseUint(w[1], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if slices.Contains([]string{"cache", "mirror", "integrity", "writecache", "snapshot", "snapshot-origin"}, w[2]) {
		return nil
	}
	// The kernel prints what the bitmap's superblock has (drivers/md/md-bitmap.c:
	// md_bitmap_read_sb), which is not what lvm2 asked for.
	params := strings.Replace(strings.Join(w[3:], " "), "max_write_behind 0", "max_write_behind 512", 1)
	target, err := table.Parse(w[2], params)
	if err != nil {
		t.Fatal(err)
	}
	return table.Table{{Start: start, Length: length, Target: target}}
}

// numbers returns the numbers that the devices had in the guest.
func numbers(t testing.TB, g *lvm.Group, devices map[string]loaded) func(lvm.Ref) (table.Number, bool) {
	t.Helper()
	return func(r lvm.Ref) (table.Number, bool) {
		if f, ok := g.Found[r.PV]; ok {
			return number(t, f.Place), true
		}
		d, ok := devices[r.Volume]
		return d.number, ok
	}
}

// compare plans an LV and compares with what lvm2 had loaded. It returns the devices' names.
func compare(t *testing.T, g *lvm.Group, devices map[string]loaded, lv string, o lvm.Options) []string {
	t.Helper()
	volumes, err := g.Plan(lv, o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range volumes {
		want, ok := devices[v.Name]
		if !ok {
			t.Fatalf("lvm2 did not make %s", v.Name)
		}
		for _, r := range v.Refs() {
			if r.Volume != "" && !slices.Contains(names, r.Volume) {
				t.Errorf("%s needs %s, which is not made before it", v.Name, r.Volume)
			}
		}
		got, err := v.Table(numbers(t, g, devices))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.table.String(), got.String()); diff != "" {
			t.Errorf("%s: -lvm2 +plan:\n%s", v.Name, diff)
		}
		if v.UUID != want.uuid || v.Sectors != got.Sectors() {
			t.Errorf("%s: uuid %s, lvm2's is %s; %d sectors, the table has %d", v.Name, v.UUID, want.uuid, v.Sectors, got.Sectors())
		}
		names = append(names, v.Name)
	}
	return names
}

// TestRealVolumes plans every LV of volume groups that lvm2 made, and compares names, UUIDs and
// tables with those that it loaded into a kernel. The plans together are all that lvm2 made, but
// for the devices of the pools themselves, which no LV needs.
func TestRealVolumes(t *testing.T) {
	for name, want := range map[string]struct{ lvs, pools []string }{
		"linear":      {lvs: []string{"root", "swap"}},
		"dashes":      {lvs: []string{"r-o--ot", "ro", "minor"}},
		"striped":     {lvs: []string{"root", "two"}},
		"raid":        {lvs: []string{"r0", "r0m", "r1", "wm", "r4", "r5", "r5ra", "r5n", "r6", "r6nr", "r10"}},
		"thin":        {lvs: []string{"root", "data", "snap", "awake", "base", "ext"}, pools: []string{"vg-pool"}},
		"thinoptions": {lvs: []string{"one", "two"}, pools: []string{"vg-p--1", "vg-p2"}},
		"stack":       {lvs: []string{"root"}, pools: []string{"vg-pool"}},
		"areas":       {lvs: []string{"root"}},
		"many":        forty(),
		"wrapped":     twelve(),
	} {
		t.Run(name, func(t *testing.T) {
			g, devices := group(t, name), loadedBy(t, name)
			made := want.pools
			for _, lv := range want.lvs {
				made = append(made, compare(t, g, devices, lv, lvm.Options{})...)
			}
			slices.Sort(made)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(devices)), slices.Compact(made)); diff != "" {
				t.Errorf("-lvm2 +plan:\n%s", diff)
			}
		})
	}
}

func forty() (c struct{ lvs, pools []string }) {
	for i := range 40 {
		c.lvs = append(c.lvs, "v"+strconv.Itoa(i))
	}
	return c
}

func twelve() (c struct{ lvs, pools []string }) {
	for i := range 12 {
		c.lvs = append(c.lvs, "volume-with-a-long-name-"+strconv.Itoa(i))
	}
	return c
}

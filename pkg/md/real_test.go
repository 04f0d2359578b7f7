package md_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// disks returns the disks of a case of testdata, vda and so on.
func disks(t testing.TB, name string) map[string]sparse {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	b, err = io.ReadAll(r)
	const start, end = 8 << 10, 64 << 10
	if err != nil || len(b) != 5*(start+end) {
		t.Fatal(name, len(b), err)
	}
	out := map[string]sparse{}
	for _, disk := range []string{"vda", "vdb", "vdc", "vdd", "vde"} {
		out[disk] = sparse{deviceSize, map[int64][]byte{0: b[:start], deviceSize - end: b[start : start+end]}}
		b = b[start+end:]
	}
	return out
}

// report is what mdadm and the kernel made of a case.
type report struct {
	examined map[string]map[string]string // device -> what mdadm --examine has, by its words
	started  string                       // the lines of /proc/mdstat, in one
}

func readReport(t testing.TB, name string) report {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	text, started, ok := strings.Cut(string(b), "started\n")
	if !ok {
		t.Fatal("no start in ", name)
	}
	r := report{map[string]map[string]string{}, strings.Join(strings.Fields(started), " ")}
	disk := ""
	for line := range strings.Lines(text) {
		if d, ok := strings.CutPrefix(strings.TrimSpace(line), "disk "); ok {
			disk = d
			r.examined[disk] = map[string]string{}
		} else if key, value, ok := strings.Cut(line, " : "); ok {
			value, _, _ = strings.Cut(strings.TrimSpace(value), "  (local")
			r.examined[disk][strings.TrimSpace(key)] = value
		}
	}
	return r
}

// role is in mdadm's words.
func role(s md.Superblock) string {
	r := uint16(md.RoleSpare)
	if int(s.Number) < len(s.Roles) {
		r = s.Roles[s.Number]
	}
	switch {
	case r == md.RoleSpare:
		return "spare"
	case r == md.RoleJournal:
		return "Journal"
	case s.Features&md.FeatureReplacement != 0:
		return fmt.Sprintf("Replacement device %d", r)
	}
	return fmt.Sprintf("Active device %d", r)
}

// compare compares a superblock with what mdadm has of it.
func compare(t *testing.T, s md.Superblock, examined map[string]string) {
	t.Helper()
	got := map[string]string{
		"Version": fmt.Sprintf("1.%d", s.Minor), "Array UUID": s.Set.String(), "Device UUID": s.Device.String(), "Name": s.Name,
		"Feature Map": fmt.Sprintf("%#x", uint32(s.Features)), "Raid Level": s.Level.String(), "Raid Devices": fmt.Sprint(s.Disks),
		"Events": fmt.Sprint(s.Events), "State": map[bool]string{true: "clean", false: "active"}[s.Clean], "Device Role": role(s),
		"Avail Dev Size": fmt.Sprintf("%d sectors", s.DataSectors), "Data Offset": fmt.Sprintf("%d sectors", s.DataOffset),
		"Used Dev Size": fmt.Sprintf("%d sectors", s.Sectors), "Chunk Size": fmt.Sprintf("%dK", s.ChunkSectors/2),
		"Delta Devices": fmt.Sprintf("%d (%d->%d)", s.Delta, s.Disks-s.Delta, s.Disks),
	}
	if s.Features&md.FeatureRecovery == 0 {
		got["Recovery Offset"] = "absent"
	}
	for key, want := range examined {
		want, _, _ = strings.Cut(want, " (6") // sizes in MiB
		if have, ok := got[key]; ok && have != want && !strings.HasPrefix(want, have+" ") {
			t.Errorf("%s: %s, mdadm has %s", key, have, want)
		}
	}
	if examined["Array UUID"] == "" || examined["Events"] == "" {
		t.Error("mdadm has no superblock here")
	}
}

// found reads the members of a case, and compares each with what mdadm has of it.
func found(t *testing.T, name string, r report) []md.Found {
	t.Helper()
	var out []md.Found
	all := disks(t, name)
	for _, device := range slices.Sorted(func(yield func(string) bool) {
		for d := range r.examined {
			if !yield(d) {
				return
			}
		}
	}) {
		d := all[device[:3]]
		if len(device) > 3 {
			if _, err := md.Read(d, d.size); !errors.Is(err, md.ErrNone) {
				t.Errorf("the disk of %s: %v", device, err)
			}
			d = d.partition(1 << 20)
		}
		s, err := md.Read(d, d.size)
		if err != nil {
			t.Fatalf("%s: %v", device, err)
		}
		compare(t, s, r.examined[device])
		out = append(out, md.Found{Place: device, Superblock: s})
	}
	return out
}

// started is what the kernel would have of a plan in /proc/mdstat: its devices, and its slots.
func started(p md.Plan, disks int) (devices []string, slots string) {
	whole := make([]byte, disks)
	for i := range whole {
		whole[i] = '_'
	}
	for _, m := range p.Members {
		flag := ""
		switch {
		case m.Slot < 0:
			flag = "(S)"
		case m.Replacement:
			flag = "(R)"
		}
		if m.Slot >= 0 && !m.Partial {
			whole[m.Slot] = 'U'
		}
		devices = append(devices, fmt.Sprintf("%s[%d]%s", m.Place, m.Number, flag))
	}
	slices.Sort(devices)
	return devices, string(whole)
}

// TestRealArrays reads what mdadm and a kernel wrote, and compares the superblocks with what mdadm
// has of them, and the plans with what the kernel started.
func TestRealArrays(t *testing.T) {
	for _, name := range []string{
		"linear", "raid0", "raid1-1.0", "raid1-1.1", "raid1-1.2", "raid1-missing", "raid4", "raid5", "raid6", "raid10-near", "raid10-far",
		"raid10-offset", "bitmap", "ppl", "foreign", "nohost", "spare", "old", "faulty", "replaced", "rebuilt", "readded", "replacement",
		"dirty", "reshape", "badblocks", "partition", "leftover",
	} {
		t.Run(name, func(t *testing.T) {
			r := readReport(t, name)
			a, _ := assemble(t, found(t, name, r))
			p, err := a.Plan(md.Options{})
			if err != nil {
				t.Fatal(err)
			}
			devices, slots := started(p, a.Disks)
			var want []string
			for _, w := range strings.Fields(r.started) {
				if strings.HasPrefix(w, "vd") {
					want = append(want, w)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, devices); diff != "" || !strings.Contains(r.started, " "+p.Level.String()+" ") {
				t.Errorf("-kernel +plan:\n%s\n%s", diff, r.started)
			}
			if strings.HasSuffix(r.started, "]") && !strings.HasSuffix(r.started, fmt.Sprintf("[%d/%d] [%s]", a.Disks, a.Disks-p.Missing, slots)) {
				t.Errorf("slots %s, missing %d: %s", slots, p.Missing, r.started)
			}
		})
	}
}

func TestRealNames(t *testing.T) {
	for name, want := range map[string]string{"raid1-1.2": "lab:root", "foreign": "other:root", "nohost": "root"} {
		if a, _ := assemble(t, found(t, name, readReport(t, name))); a.Name != want {
			t.Errorf("%s: %q", name, a.Name)
		}
	}
}

// What is refused, and why. mdadm starts "apart" from one half, and the formats that are not read.
func TestRealRefused(t *testing.T) {
	for name, want := range map[string]string{
		"dirty-degraded": "array lab:root: raid5 with 2 members, 3 are necessary; it was not stopped cleanly: without all members its data may be wrong: with md_mod.start_dirty_degraded=1 it starts degraded",
		"apart":          "array lab:root: vda and vdb were each used without the other: keep the one with the older data away",
	} {
		a, _ := assemble(t, found(t, name, readReport(t, name)))
		if _, err := a.Plan(md.Options{Degraded: true}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"journal":    "array lab:root: not supported: it has a write journal",
		"old-format": "md superblock: not supported: superblock 0.90: convert it once",
		"imsm":       "md superblock: not supported: Intel's firmware RAID (IMSM)",
		"ddf":        "md superblock: not supported: a RAID controller's format (DDF)",
	} {
		all := disks(t, name)
		for _, disk := range []string{"vda", "vdb"} {
			var unsupported *md.UnsupportedError
			if _, err := md.Read(all[disk], deviceSize); !errors.As(err, &unsupported) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s, %s: %v", name, disk, err)
			}
		}
	}
}

// The case near is a mirror that went on without one half, and crashed at once: the half is one
// event behind, which the kernel's rule of events lets pass. What the other half has of it counts.
// Debian's Linux 6.1 takes it as a spare; others would take it for whole.
func TestRealNear(t *testing.T) {
	r := readReport(t, "near")
	all := found(t, "near", r)
	if all[0].Superblock.Events != all[1].Superblock.Events+1 || !strings.Contains(r.started, "vdb[1](S)") {
		t.Fatal("this is not the case near", r.started)
	}
	a, problems := assemble(t, all)
	check(t, a, "vda", "vdb: the array went on without it")
	if p, err := a.Plan(md.Options{}); err != nil || p.Missing != 1 || len(problems) != 1 {
		t.Error(p, err, problems)
	}
}

// The case nested is an array on another one, whose superblock is at the end: a disk has both.
// mdadm takes the newer one, and if it does not know which that is, any.
func TestRealNested(t *testing.T) {
	all := disks(t, "nested")
	var members []md.Found
	for _, disk := range []string{"vda", "vdb"} {
		s, err := md.Read(all[disk], deviceSize)
		if err != nil || s.Minor != 0 {
			t.Fatal(s, err)
		}
		members = append(members, md.Found{Place: disk, Superblock: s})
	}
	a, problems := assemble(t, members)
	if a.Name != "lab:root" || len(a.Members) != 2 || len(problems) > 0 {
		t.Error(a, problems)
	}
	content := sparse{int64(members[0].Superblock.Sectors) * 512, all["vda"].parts}
	s, err := md.Read(content, content.size)
	if err != nil || s.Name != "lab:inner" || s.Minor != 2 {
		t.Error(s, err)
	}
}

package rootfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/scan"
)

// fakeLUNs are targets with LUNs, of which the kernel attaches those that are scanned, as sda, sdb
// and on.
type fakeLUNs struct {
	luns   [][]uint64 // of each session
	mute   bool       // no target answers REPORT LUNS
	sick   map[uint64]error
	down   map[int]error // of sessions
	used   []string      // disks
	have   [][]blockdev.LUN
	events []string
}

func (f *fakeLUNs) note(format string, args ...any) {
	f.events = append(f.events, fmt.Sprintf(format, args...))
}

func (f *fakeLUNs) Attached(i int) ([]blockdev.LUN, error) { return slices.Clone(f.have[i]), nil }

func (f *fakeLUNs) Report(_ context.Context, i int, name string) ([]uint64, error) {
	switch {
	case f.down[i] != nil:
		return nil, f.down[i]
	case f.mute:
		return nil, unix.EIO
	case slices.ContainsFunc(f.have[i], func(u blockdev.LUN) bool { return u.Disk == name }):
		return slices.Sorted(slices.Values(f.luns[i])), nil
	}
	return nil, unix.ENODEV
}

func (f *fakeLUNs) Attach(_ context.Context, i int, lun uint64) ([]blockdev.LUN, error) {
	wanted := []uint64{lun}
	if lun == kernel.ScanAll {
		wanted = f.luns[i]
	}
	var out []blockdev.LUN
	for _, n := range wanted {
		if err := f.sick[n]; err != nil {
			return nil, err
		}
		at := slices.IndexFunc(f.have[i], func(u blockdev.LUN) bool { return u.Number == n })
		if at < 0 {
			u := blockdev.LUN{Session: someSessions(i + 1)[i].SID, Number: n, Disk: f.free()}
			f.have[i] = append(f.have[i], u)
			f.note("%d:%d is %s", i, n, u.Disk)
			at = len(f.have[i]) - 1
		}
		out = append(out, f.have[i][at])
	}
	return out, nil
}

// free returns the lowest name that no disk has, as the kernel does (drivers/scsi/sd.c: sd_probe,
// ida_alloc).
func (f *fakeLUNs) free() string {
	for n := 0; ; n++ {
		name := "sd" + string(rune('a'+n/26-1)) + string(rune('a'+n%26))
		if n < 26 {
			name = "sd" + string(rune('a'+n))
		}
		taken := func(units []blockdev.LUN) bool {
			return slices.ContainsFunc(units, func(u blockdev.LUN) bool { return u.Disk == name })
		}
		if !slices.ContainsFunc(f.have, taken) {
			return name
		}
	}
}

func (f *fakeLUNs) Detach(_ context.Context, i int, u blockdev.LUN) error {
	switch {
	case f.down[i] != nil:
		f.note("%d:%d stays", i, u.Number)
		return f.down[i]
	case slices.Contains(f.used, u.Disk):
		return blockdev.ErrInUse
	}
	f.note("%d:%d off", i, u.Number)
	f.have[i] = slices.DeleteFunc(f.have[i], func(other blockdev.LUN) bool { return other.Number == u.Number })
	return nil
}

// lunMachine is a machine that has scanned the first LUN of each target.
func lunMachine(t *testing.T, f *fakeLUNs) *Storage {
	t.Helper()
	m, _ := withSessions(len(f.luns))
	scanned(t, m, f)
	return m
}

// scanned gives sessions these targets, and the first LUN of each.
func scanned(t *testing.T, m *Storage, f *fakeLUNs) {
	t.Helper()
	m.luns = f
	m.Spec.Multipath.On = bootspec.Value[bool]{From: "nompath"} // the disks have no facts
	f.have = make([][]blockdev.LUN, len(f.luns))
	for i, luns := range f.luns {
		units, err := f.Attach(t.Context(), i, luns[0])
		if err != nil {
			t.Fatal(err)
		}
		m.disks = append(m.disks, newDisk(units[0]))
	}
	f.events = nil
}

// finding finds root on one LUN of one session, and records the LUNs that were searched.
func finding(m *Storage, f *fakeLUNs, i int, lun uint64) finder {
	return finder{at: func(fresh []*blockdev.Device) error {
		for _, d := range fresh {
			at := m.sessionOf(d)
			f.note("look at %d:%d", at, d.LUN.Number)
			if at == i && d.LUN.Number == lun {
				return nil
			}
		}
		return &notFoundError{absence: absence{seen: []string{fresh[0].Name}}}
	}}
}

// forty are the LUNs from 0 to 39.
func forty() []uint64 {
	out := make([]uint64, 40)
	for i := range out {
		out[i] = uint64(i)
	}
	return out
}

// The LUNs are searched target by target, from the lowest number on, until root is found.
func TestOtherLUNs(t *testing.T) {
	slow := sequence.AsRetryable(&scan.NotReadyError{LUN: blockdev.LUN{Number: 1}, Target: "iqn.x:0"})
	down := map[int]error{0: sequence.AsRetryable(errors.New("down"))}
	for _, tt := range []struct {
		name    string
		f       fakeLUNs
		session int
		lun     uint64
		want    string // events
		missing string // disks that the error lists
		unread  int
	}{
		{"found", fakeLUNs{luns: [][]uint64{{0, 9, 1, 7}}}, 0, 7, "0:1 is sdb, look at 0:1, 0:7 is sdc, look at 0:7", "", 0},
		{"one LUN, not 0", fakeLUNs{luns: [][]uint64{{20}}}, 0, 1, "", "sda", 0},
		{"second target", fakeLUNs{luns: [][]uint64{{0, 2}, {0, 1}}}, 1, 1, "0:2 is sdc, look at 0:2, 1:1 is sdd, look at 1:1", "", 0},
		{"nowhere", fakeLUNs{luns: [][]uint64{{0, 1, 2}}}, 0, 9, "0:1 is sdb, look at 0:1, 0:2 is sdc, look at 0:2", "sda sdb sdc", 0},
		{"no list", fakeLUNs{luns: [][]uint64{{0, 1}}, mute: true}, 0, 1, "0:1 is sdb, look at 0:1", "", 0},
		{"one is not ready", fakeLUNs{luns: [][]uint64{{0, 1, 2}}, sick: map[uint64]error{1: slow}}, 0, 2, "0:2 is sdb, look at 0:2", "", 0},
		{"only that", fakeLUNs{luns: [][]uint64{{0, 1}}, sick: map[uint64]error{1: slow}}, 0, 1, "", "sda", 1},
		{"not listed now", fakeLUNs{luns: [][]uint64{{0, 1}, {0, 1}}, down: down}, 0, 1, "1:1 is sdc, look at 1:1", "sda sdc", 1},
		{"found beside that", fakeLUNs{luns: [][]uint64{{0, 1}, {0, 1}}, down: down}, 1, 1, "1:1 is sdc, look at 1:1", "", 0},
		{"one that never will be", fakeLUNs{luns: [][]uint64{{0, 1}}, sick: map[uint64]error{1: errors.New("no")}}, 0, 1, "", "sda", 0},
	} {
		m := lunMachine(t, &tt.f)
		err := m.newRootSearch("root").onOtherLUNs(t.Context(), &notFoundError{absence: absence{seen: []string{"sda"}}}, finding(m, &tt.f, tt.session, tt.lun))
		if got := strings.Join(tt.f.events, ", "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		var missing *notFoundError
		if errors.As(err, &missing) != (tt.missing != "") || missing != nil && strings.Join(missing.seen, " ") != tt.missing || len(unreadOf(err)) != tt.unread {
			t.Errorf("%s: %v, %+v", tt.name, err, missing)
		}
	}
}

// The first scan is of LUN 0, of all if that is not a disk, and up to the first disk if the target
// does not answer at LUN 0.
func TestFirstDisks(t *testing.T) {
	controller := blockdev.LUN{Type: 12}
	for _, tt := range []struct {
		name     string
		luns     []uint64 // disks
		attached []blockdev.LUN
		refuses  bool // LUN 0, so that the kernel has no list
		given    bool
		want     []uint64
		scans    int
	}{
		{"LUN 0", []uint64{0, 1}, nil, false, false, []uint64{0}, 1},
		{"a controller at LUN 0", []uint64{1, 2}, []blockdev.LUN{controller}, false, false, []uint64{1, 2}, 2},
		{"only LUN 20", []uint64{20}, nil, false, false, []uint64{20}, 2},
		{"refuses LUN 0", []uint64{20, 21}, nil, true, false, []uint64{20}, 22},
		{"refuses all", nil, nil, true, false, nil, 2 + maxProbed},
		{"nothing but a controller", nil, []blockdev.LUN{controller}, false, false, nil, 2},
		{"given", []uint64{1}, nil, false, true, nil, 1},
	} {
		f := fakeLUNs{luns: [][]uint64{tt.luns}, have: [][]blockdev.LUN{tt.attached}}
		m, _ := withSessions(1)
		m.luns = &f
		if tt.given {
			m.Spec.Targets[0].LUN.From = "iscsi_lun="
		}
		scans := 0
		found, err := m.firstDisks(t.Context(), 0, func(lun uint64) ([]blockdev.LUN, error) {
			scans++
			if lun == kernel.ScanAll && tt.refuses || lun != kernel.ScanAll && !slices.Contains(tt.luns, lun) {
				return nil, nil
			}
			return f.Attach(t.Context(), 0, lun)
		})
		var got []uint64
		for _, u := range found {
			got = append(got, u.Number)
		}
		if err != nil || !slices.Equal(got, tt.want) || scans != tt.scans {
			t.Errorf("%s: %v, %v after %d scans", tt.name, got, err, scans)
		}
	}
}

// The scan LUN by LUN ends with the step's timeout.
func TestFirstDisksInTime(t *testing.T) {
	m, _ := withSessions(1)
	m.luns = &fakeLUNs{have: make([][]blockdev.LUN, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	scans := 0
	_, err := m.firstDisks(ctx, 0, func(lun uint64) ([]blockdev.LUN, error) {
		if scans++; lun == 5 {
			cancel()
		}
		return nil, nil
	})
	if !errors.Is(err, context.Canceled) || scans != 2+5 {
		t.Errorf("%v after %d scans", err, scans)
	}
}

// If a source names the LUN, no other is searched.
func TestNoOtherLUNs(t *testing.T) {
	f := fakeLUNs{luns: [][]uint64{{0, 1}}}
	m := lunMachine(t, &f)
	m.Spec.Targets[0].LUN = bootspec.Value[iscsi.LUN]{From: "iscsi_lun="}
	if err := m.newRootSearch("root").onOtherLUNs(t.Context(), &notFoundError{}, finding(m, &f, 0, 1)); !absent(err) || len(f.events) > 0 {
		t.Errorf("%v, %v", err, f.events)
	}
	m.detachOthers(t.Context(), Volume{Device: partitionOf(m.disks[0], 1)}, rootWith(t, ""), paths{t.TempDir(), t.TempDir()})
	if len(f.events) > 0 {
		t.Errorf("%v", f.events)
	}
}

// While a target is waited for, the LUNs on which root was not found are detached, and the target's
// disk gets the name that it gets without them.
func TestDisksKeepTheirNames(t *testing.T) {
	f := fakeLUNs{luns: [][]uint64{{0, 1, 2}}}
	m := lunMachine(t, &f)
	if err := m.newRootSearch("root").onOtherLUNs(t.Context(), &notFoundError{}, finding(m, &f, 0, 9)); !absent(err) || len(m.allDisks()) != 3 {
		t.Fatal(err, m.allDisks())
	}
	m.detachLate(t.Context())
	if name := f.free(); name != "sdb" || len(m.allDisks()) != 1 {
		t.Errorf("the next disk is %s, beside %v", name, m.allDisks())
	}
}

// Disks of further LUNs are counted after the first ones of all targets, which must be known.
func TestCountedLate(t *testing.T) {
	f := fakeLUNs{luns: [][]uint64{{0, 5}, {0}}}
	m := lunMachine(t, &f)
	if err := m.newRootSearch("root").onOtherLUNs(t.Context(), &notFoundError{}, finding(m, &f, 0, 5)); err != nil {
		t.Fatal(err)
	}
	m.sortDisks()
	show := func(disks []*blockdev.Device) (out string) {
		for _, d := range disks {
			out += fmt.Sprintf(" %d:%d", m.sessionOf(d), d.LUN.Number)
		}
		return out
	}
	if got := show(m.counted(false)); got != " 0:0 1:0 0:5" {
		t.Errorf("counted are%s", got)
	}
	m.Sessions.(*fakeSessions).states = []state{up, pending}
	if got := show(m.counted(false)); got != " 0:0 1:0" {
		t.Errorf("while one is not there:%s", got)
	}
}

// A by-path name of root at the target determines which LUN is scanned first.
func TestFirstLUNs(t *testing.T) {
	const path = "root=/dev/disk/by-path/ip-10.1.1.7:3260-iscsi-iqn.x:t-lun-"
	for line, want := range map[string][]uint64{
		"":                          {0},
		"root=/dev/sda2":            {0},
		path + "7-part2":            {7, 0},
		path + "0":                  {0},
		path + "0x012c000000000000": {300, 0},
		path + "7 iscsi_lun=3":      {3},
		"iscsi_lun=300":             {0x412c, 300},
		strings.Replace(path, "x:t", "x:other", 1) + "7": {0},
	} {
		plan, err := bootspec.Parse(cmdline.Parse("iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.1.1.7 " + line))
		if err != nil {
			t.Fatal(err)
		}
		m := rootAt(plan.Root, 1)
		m.Spec.Targets = plan.Targets
		if got := m.firstLUNs(0); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

package legs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// lost is a machine whose leg 1, on disk 3, has gone and is there again as sdg.
func lost(t *testing.T) *machine {
	m := newMachine(t)
	m.detach(3)
	m.attach(3, 6)
	m.health = "ADA"
	return m
}

func (m *machine) tables() (out []string) {
	for _, name := range []string{"vg-r1_rmeta_1", "vg-r1_rimage_1", "vg-r1"} {
		if d := m.all[name]; d != nil {
			out = append(out, strings.TrimSpace(d.now.String()))
		}
	}
	return out
}

const (
	swapped = "exchange vg-r1_rmeta_1-false-e,vg-r1_rimage_1-false-e,vg-r1-true-0"
	raidRow = "0 8192 raid raid1 7 0 min_recovery_rate 100 max_recovery_rate 4096 region_size 1024 3 253:11 253:12 253:13 253:14 253:15 253:16"
)

// The devices of the leg get the numbers of its new disk; the raid keeps its table.
func TestRefresh(t *testing.T) {
	for _, health := range []string{"ADA", "AAA"} { // the latter: nothing was written meanwhile
		m := lost(t)
		m.health = health
		if changed, err := m.Refresh(m.disks); !changed || err != nil {
			t.Fatalf("%s: %v, %v", health, changed, err)
		}
		if want := []string{"load vg-r1_rmeta_1", "load vg-r1_rimage_1", swapped}; !slices.Equal(m.done, want) {
			t.Errorf("%s: done %q, want %q", health, m.done, want)
		}
		if want := []string{"0 1024 linear 8:96 11264", "0 8192 linear 8:96 12288", raidRow}; !slices.Equal(m.tables(), want) {
			t.Errorf("%s: tables %q, want %q", health, m.tables(), want)
		}
		if len(m.said) != 1 || !strings.HasPrefix(m.said[0], "volumes: vg-r1: leg 1 is in use again: ") {
			t.Errorf("%s: said %q", health, m.said)
		}
		m.health, m.done = "AAA", nil
		if changed, err := m.Refresh(m.disks); changed || err != nil || len(m.done) > 0 {
			t.Errorf("%s: again: %v, %v, %q", health, changed, err, m.done)
		}
	}
}

// A leg whose disk is the same failed: the raid is suspended and resumed, and nothing else.
func TestRefreshSameDisk(t *testing.T) {
	m := newMachine(t)
	m.health = "AAD"
	changed, err := m.Refresh(m.disks)
	if want := []string{"exchange vg-r1-true-0"}; !changed || err != nil || !slices.Equal(m.done, want) {
		t.Errorf("%v, %v, %q, want %q", changed, err, m.done, want)
	}
}

// A raid that was activated without a leg gets its devices, and a table with them. What the others
// have not noted they note first.
func TestRefreshMissing(t *testing.T) {
	for _, noted := range []bool{true, false} {
		m := newMachine(t, 3)
		m.attach(3, 6)
		m.health = "A-A"
		want := []string{"activate-e vg-r1_rmeta_1", "activate-e vg-r1_rimage_1", "load vg-r1", "exchange vg-r1-true-0"}
		note := func() { m.super(2, 0, 7, 1) }
		if noted {
			note()
		} else {
			want = append([]string{"exchange vg-r1-true-0"}, want...)
			m.Open = func() (Mapper, error) { return &noting{m.mapper, note}, nil }
		}
		changed, err := m.Refresh(m.disks)
		if !changed || err != nil || !slices.Equal(m.done, want) {
			t.Errorf("noted %v: %v, %v, %q, want %q", noted, changed, err, m.done, want)
		}
		raid := strings.Replace(raidRow, "253:13 253:14 253:15 253:16", "253:16 253:17 253:13 253:14", 1)
		if want := []string{"0 1024 linear 8:96 11264", "0 8192 linear 8:96 12288", raid}; !slices.Equal(m.tables(), want) {
			t.Errorf("noted %v: tables %q, want %q", noted, m.tables(), want)
		}
	}
}

// noting writes the superblocks when the raid is suspended, as the kernel does.
type noting struct {
	*mapper
	note func()
}

func (n *noting) Exchange(changes []dm.Change) error {
	n.note()
	return n.mapper.Exchange(changes)
}

// After an error nothing is loaded, and what was made is removed.
func TestRefreshErrors(t *testing.T) {
	for _, op := range []string{"load vg-r1_rmeta_1", "load vg-r1_rimage_1", swapped} {
		m := lost(t)
		before := m.tables()
		m.fail = map[string]bool{op: true}
		changed, err := m.Refresh(m.disks)
		if changed || !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "take back legs of raid vg-r1: ") {
			t.Errorf("%s: %v, %v", op, changed, err)
		}
		m.clean(op, before)
	}
	for _, op := range []string{"activate-e vg-r1_rmeta_1", "activate-e vg-r1_rimage_1", "load vg-r1", "exchange vg-r1-true-0"} {
		m := newMachine(t, 3)
		before := m.tables()
		m.attach(3, 6)
		m.super(2, 0, 7, 1)
		m.health, m.fail = "A-A", map[string]bool{op: true}
		if changed, err := m.Refresh(m.disks); changed || !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v, %v", op, changed, err)
		}
		m.clean(op, before)
	}
}

// clean looks at what an error has left.
func (m *machine) clean(op string, tables []string) {
	m.Helper()
	for name, d := range m.all {
		if d.loaded != nil {
			m.Errorf("%s: %s has a loaded table", op, name)
		}
	}
	if got := m.tables(); !slices.Equal(got, tables) {
		m.Errorf("%s: tables %q, want %q", op, got, tables)
	}
	if _, err := os.Stat(m.Note); !errors.Is(err, os.ErrNotExist) {
		m.Errorf("%s: the note is there: %v", op, err)
	}
}

// What is not certain to be the leg that was lost is not used.
func TestRefreshRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *machine)
		text   string
		later  bool // a later call may succeed
	}{
		"no superblock":     {func(m *machine) { m.super(6, 1, 5); m.write(filepath.Join(m.Dev, "sdg"), m.zeroed("sdg")) }, "no superblock of a raid: lvchange --rebuild", false},
		"another leg":       {func(m *machine) { m.super(6, 2, 5); m.super(6, 0, 5) }, "its superblock is that of leg 0 of 3: lvchange --rebuild", false},
		"used alone":        {func(m *machine) { m.super(6, 1, 4, 0) }, "it was in use without leg 0: lvchange --rebuild", false},
		"newer":             {func(m *machine) { m.super(6, 1, 6) }, "it was in use without leg 0: lvchange --rebuild", false},
		"older, not failed": {func(m *machine) { m.health = "AAA"; m.super(6, 1, 4) }, "its superblock is not that of leg 0", true},
		"old disk is there": {func(m *machine) { m.write(filepath.Join(m.Sys, "dev/block/8:48"), nil) }, "stands on device 8:48, which is still there", true},
		"other offset":      {func(m *machine) { m.relayout("vg-r1_rimage_1", 12289) }, "its layout in the kernel is not that of its metadata", false},
		"suspended":         {func(m *machine) { m.all["vg-r1_rmeta_1"].info.Suspended = true }, "is being changed by another program", true},
		"another device":    {func(m *machine) { m.all["vg-r1_rmeta_1"].info.UUID = "CRYPT-1" }, "is not the volume of that name", false},
		"none in use":       {func(m *machine) { m.health = "DDD" }, "none of the legs in use can be read", false},
		"id seen twice":     {func(m *machine) { m.attach(3, 7) }, "keep all but one of them away", false},
		"locked":            {func(m *machine) { m.lock() }, "lvm is at work on it", true},
	} {
		m := lost(t)
		c.change(m)
		for range 2 { // what cannot change is logged once
			changed, err := m.Refresh(m.disks)
			if changed || c.later != errors.Is(err, unix.EWOULDBLOCK) || !c.later && err != nil || len(m.done) > 0 {
				t.Errorf("%s: %v, %v, done %q", name, changed, err, m.done)
			}
			if c.later {
				m.said = []string{err.Error()}
			}
		}
		if len(m.said) != 1 || !strings.Contains(m.said[0], c.text) {
			t.Errorf("%s: said %q, want %q", name, m.said, c.text)
		}
	}
}

// Without a device of device-mapper it is not opened: that would load its module.
func TestNoDeviceMapper(t *testing.T) {
	m := lost(t)
	m.Open = func() (Mapper, error) { panic("opened") }
	if err := os.Remove(filepath.Join(m.Sys, "class/block/dm-0")); err != nil {
		t.Fatal(err)
	}
	if changed, err := m.Refresh(m.disks); changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
}

// A disk that cannot be read is read again by a later call.
func TestUnreadable(t *testing.T) {
	m := lost(t)
	if err := os.Remove(filepath.Join(m.Dev, "sdg")); err != nil {
		t.Fatal(err)
	}
	if changed, err := m.Refresh(m.disks); changed || !errors.Is(err, os.ErrNotExist) || len(m.said) > 0 {
		t.Errorf("%v, %v, said %q", changed, err, m.said)
	}
}

// zeroed is a disk's begin, without a superblock behind it.
func (m *machine) zeroed(name string) []byte {
	b, err := os.ReadFile(filepath.Join(m.Dev, name))
	if err != nil {
		m.Fatal(err)
	}
	clear(b[1<<20:])
	return b
}

// relayout gives a device in the kernel another table.
func (m *machine) relayout(name string, offset uint64) {
	d := m.all[name]
	d.now = table.Table{{Start: 0, Length: d.now[0].Length, Target: table.Linear{Dev: table.Number{Major: 8, Minor: 48}, Offset: offset}}}
}

// lock locks the group as lvm2 does.
func (m *machine) lock() {
	m.write(filepath.Join(m.Locks, "V_vg"), nil)
	f, err := os.Open(filepath.Join(m.Locks, "V_vg"))
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_SH)
	}
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = f.Close() })
}

// A lock of ours is deleted with its end, and keeps lvm2 away before.
func TestLock(t *testing.T) {
	m := lost(t)
	m.write(filepath.Join(m.Locks, "V_other"), nil)
	held := false
	m.Open = func() (Mapper, error) {
		return &noting{m.mapper, func() {
			_, err := lockGroup(m.Locks, "vg")
			held = errors.Is(err, unix.EWOULDBLOCK)
		}}, nil
	}
	changed, err := m.Refresh(m.disks)
	if _, left := os.Stat(filepath.Join(m.Locks, "V_vg")); !changed || err != nil || !held || !errors.Is(left, os.ErrNotExist) {
		t.Errorf("%v, %v, held %v, left %v", changed, err, held, left)
	}
}

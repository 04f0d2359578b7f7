package maps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

const wwid = "36001405f000000016001405f00000001"

// path reads a disk.
func path(t *testing.T, m *Maps, disk string) multipath.Path {
	t.Helper()
	p, err := m.Read(blockdev.LUN{Disk: disk, Number: 1}, "iqn.x")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// made makes a map of disks.
func made(t *testing.T, m *Maps, disks ...string) *blockdev.Device {
	t.Helper()
	mp := multipath.Map{ID: wwid}
	for _, disk := range disks {
		mp = mp.With(path(t, m, disk))
	}
	d, err := m.Make(t.Context(), mp)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRead(t *testing.T) {
	m, _ := newMaps(t)
	got := path(t, m, "sda")
	if got.ID != wwid || !got.Global || got.Size != 20<<20 || got.Vendor != "LIO-ORG" || got.Access != multipath.Optimized || !got.Preferred || got.Target != "iqn.x" || got.LUN != 1 {
		t.Errorf("%+v", got)
	}
	if got, err := m.Read(blockdev.LUN{Disk: "sdz"}, ""); err == nil {
		t.Errorf("a disk that is not there: %+v", got)
	}
}

// A map has the WWID as its name, queues, and has a link. Another call adds what it does not have.
func TestMake(t *testing.T) {
	m, f := newMaps(t)
	d := made(t, m, "sda")
	if d.Kind != blockdev.KindMultipath || d.Map != wwid || d.Name != "dm-0" || len(d.Parents) != 1 {
		t.Errorf("%+v", d)
	}
	if to, err := os.Readlink(filepath.Join(m.Dev, "mapper", wwid)); err != nil || to != "../dm-0" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if d = made(t, m, "sda", "sdb"); len(d.Parents) != 2 {
		t.Errorf("%+v", d)
	}
	all, err := m.List()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if mp := all[0]; mp.ID != wwid || !mp.Queue || mp.Size != 20<<20 || paths(mp) != "sda:0 sdb:1" {
		t.Errorf("%+v", mp)
	}
	if got := strings.Join(f.log, ", "); got != "activate "+wwid+", exchange "+wwid {
		t.Error(got)
	}
}

// A map whose state cannot be read does not hide the others.
func TestListDamaged(t *testing.T) {
	m, f := newMaps(t)
	made(t, m, "sda")
	lost := errors.New("no table")
	f.devices["bad"] = &device{info: dm.Info{UUID: "mpath-bad", Active: true}, damaged: lost}
	if all, err := m.List(); len(all) != 1 || all[0].Name != wwid || !errors.Is(err, lost) || !strings.Contains(err.Error(), "bad: ") {
		t.Errorf("%+v, %v", all, err)
	}
}

// A disk joins a map whose only disk is gone, in its place.
func TestJoinAfterGone(t *testing.T) {
	m, f := newMaps(t)
	made(t, m, "sda")
	b := path(t, m, "sdb")
	if err := os.Remove(filepath.Join(f.sys, "dev/block/8:0")); err != nil {
		t.Fatal(err)
	}
	if all, err := m.List(); err != nil || !all[0].Gone() {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := m.Join(t.Context(), wwid, b); err != nil {
		t.Fatal(err)
	}
	if all, err := m.List(); err != nil || all[0].Gone() || paths(all[0]) != "sdb:0" {
		t.Errorf("%+v, %v", all, err)
	}
}

// paths lists a map's paths with their groups, and those that have failed.
func paths(mp Map) string {
	var out []string
	for _, p := range mp.Paths {
		text := fmt.Sprintf("%s:%d", p.Disk, p.Group)
		if p.Failed {
			text += fmt.Sprintf(" failed %d", p.Failures)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// A map that cannot be made: the cause is the module that is missing, if one is, and the advice is
// that of the cause.
func TestMakeFails(t *testing.T) {
	m, f := newMaps(t)
	f.refuse = unix.EINVAL
	mp := multipath.Map{ID: wwid}.With(path(t, m, "sda"))
	if _, err := m.Make(t.Context(), mp); !errors.Is(err, unix.EINVAL) || sequence.Hint(err) != "" {
		t.Error(err, sequence.Hint(err))
	}
	f.refuse = unix.EBUSY
	if _, err := m.Make(t.Context(), mp); !errors.Is(err, unix.EBUSY) || !strings.HasPrefix(sequence.Hint(err), "a disk is in use") {
		t.Error(err, sequence.Hint(err))
	}
	lacks := errors.New("no module dm_multipath")
	m.Load = func(_ context.Context, module string) error {
		if module == "dm_multipath" {
			return lacks
		}
		return nil
	}
	if _, err := m.Make(t.Context(), mp); !errors.Is(err, lacks) || sequence.Hint(err) != "build the image with --storage multipath" {
		t.Error(err)
	}
}

// A path that has failed stays failed when another one joins, leaves or changes its group.
func TestChanges(t *testing.T) {
	m, f := newMaps(t)
	made(t, m, "sda")
	if err := m.Message(wwid, "fail_path 8:0"); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		t.Helper()
		all, err := m.List()
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return paths(all[0])
	}
	for _, tt := range []struct {
		name   string
		change func() error
		want   string
	}{
		{"join", func() error { return m.Join(t.Context(), wwid, path(t, m, "sdb")) }, "sda:0 failed 3 sdb:1"},
		{"join again", func() error { return m.Join(t.Context(), wwid, path(t, m, "sdb")) }, "sda:0 failed 3 sdb:1"},
		{"regroup", func() error {
			f.files(map[string]string{"class/block/sdb/device/access_state": "active/optimized"})
			return m.Regroup(t.Context(), wwid, []multipath.Path{path(t, m, "sda"), path(t, m, "sdb")})
		}, "sda:0 failed 3 sdb:0"},
		{"leave", func() error { return m.Leave(t.Context(), wwid, path(t, m, "sda").Number) }, "sdb:0"},
		{"leave the last", func() error { return m.Leave(t.Context(), wwid, path(t, m, "sdb").Number) }, "sdb:0"},
	} {
		if err := tt.change(); err != nil || state() != tt.want {
			t.Errorf("%s: %s, %v", tt.name, state(), err)
		}
	}
	exchanges := strings.Count(strings.Join(f.log, " "), "exchange")
	if exchanges != 3 { // join, regroup, leave
		t.Errorf("%d exchanges: %q", exchanges, f.log)
	}
	if err := m.Join(t.Context(), "other", path(t, m, "sda")); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a map that is not there: %v", err)
	}
}

// A map of read-only disks is read-only, also after a change.
func TestReadOnly(t *testing.T) {
	m, f := newMaps(t)
	f.files(map[string]string{"class/block/sda/ro": "1", "class/block/sdb/ro": "1"})
	made(t, m, "sda")
	if err := m.Join(t.Context(), wwid, path(t, m, "sdb")); err != nil || !f.devices[wwid].info.ReadOnly {
		t.Error(err)
	}
}

// The I/O of a map in use does not fail by an attempt to remove it. One that is opened meanwhile
// queues again.
func TestRemove(t *testing.T) {
	m, f := newMaps(t)
	made(t, m, "sda")
	f.busy, f.open = wwid, 1
	if err := m.Remove(wwid); !errors.Is(err, unix.EBUSY) || slices.Contains(f.log, "fail_if_no_path") {
		t.Error(err, f.log)
	}
	f.open = 0
	if err := m.Remove(wwid); !errors.Is(err, unix.EBUSY) || !multipathOf(f.devices[wwid].table).Queue {
		t.Error(err)
	}
	f.busy = ""
	if err := m.Remove(wwid); err != nil || len(f.devices) > 0 {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(m.Dev, "mapper", wwid)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link stays: %v", err)
	}
}

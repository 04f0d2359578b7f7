package rootfs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
)

// LUNs of different targets with one WWID are joined only if their ends are equal, or the WWID is
// given: a copied target keeps it.
func TestCopiedTarget(t *testing.T) {
	for _, c := range []struct {
		sector      int64 // in which they differ, if it is not -1
		given, late bool
		want        string
	}{
		{8, false, false, "sda sdb"},
		{131071, false, true, "sda sdb"},
		{8, true, true, "dm-0"},
		{-1, false, true, "dm-0"},
	} {
		st, k, found := twoPaths(t, false)
		if c.sector >= 0 {
			k.write("sdb", c.sector, []byte("another LUN"))
		}
		if c.given {
			st.Spec.Multipath.IDs = []bootspec.Value[string]{{V: pathID, From: "iscsi_multipath="}}
		}
		if c.late {
			st.disks = st.use(t.Context(), found[:1])
			found = found[1:]
		}
		st.disks = append(st.disks, st.use(t.Context(), found)...)
		if got := names(st.disks); got != c.want {
			t.Errorf("%+v: the disks are %s", c, got)
		}
		log := strings.Join(st.Log.(*steptest.Recorder).Lines(), "\n")
		if strings.Contains(log, "their contents differ: give each LUN a WWID of its own") != (c.want == "sda sdb") {
			t.Errorf("%+v: %s", c, log)
		}
	}
}

// A by-path name with the portal of a path that has no disk finds the map; that of another target
// does not.
func TestPathOfDeadPortal(t *testing.T) {
	for _, paths := range []bool{true, false} {
		st, _, found := twoPaths(t, paths)
		for i := range st.Spec.Targets {
			st.Spec.Targets[i].Portals = []bootspec.Value[bootspec.Portal]{{V: bootspec.Portal{Host: fmt.Sprintf("10.0.%d.1", i), Port: 3260}, From: "iscsi_a="}}
		}
		st.disks = st.use(t.Context(), found[1:])
		for i, want := range []bool{paths, true} {
			name := fmt.Sprintf("/dev/disk/by-path/ip-10.0.%d.1:3260-iscsi-iqn.x:1-lun-%d", i, found[1].Number)
			d, ok := bootspec.ParseDevice(name)
			if got := st.is(st.disks[0], 0, d); !ok || got != want {
				t.Errorf("paths %v: %s: %v", paths, name, got)
			}
		}
	}
}

// A map that is mounted as a whole loses its partitions before, and no other map does.
func TestFreeWhole(t *testing.T) {
	st, k, found := twoPaths(t, true)
	sector := make([]byte, 512)
	copy(sector[446:], "\x00\x00\x00\x00\x83\x00\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00")
	copy(sector[510:], "\x55\xaa")
	for _, disk := range []string{"sda", "sdb"} {
		k.write(disk, 0, sector)
	}
	st.disks = st.use(t.Context(), found)
	r := st.newReads(t.Context())
	defer r.End()
	devices, err := st.stackOf(t.Context(), k.paths, st.disks, wants{}, r).On(st.disks[0])
	if err != nil || len(devices) != 2 || k.names() != pathID+" "+pathID+"-part1" {
		t.Fatal(devices, err, k.names())
	}
	st.freeWhole(t.Context(), Volume{Device: devices[1]})
	if got := k.names(); got != pathID+" "+pathID+"-part1" {
		t.Errorf("before a mount of a partition there is %s", got)
	}
	st.freeWhole(t.Context(), Volume{Device: devices[0]})
	if got := k.names(); got != pathID {
		t.Errorf("before a mount of the map there is %s", got)
	}
}

package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/calls"
)

// fakeVolumes is a layer that makes one device of all second partitions, and one of that.
type fakeVolumes struct {
	err    error // of Deactivate
	refuse error // of Activate
	off    *[]string
}

func (fakeVolumes) Name() string { return "volumes" }

func (fakeVolumes) Find(_ context.Context, devices []*blockdev.Device) ([]blockdev.Assembly, error) {
	var group, upper blockdev.Assembly
	for _, d := range devices {
		if d.Partition != nil && d.Partition.Number == 2 {
			group.Name, group.Members = "group", append(group.Members, d)
		}
		if d.Name == "group" {
			upper.Name, upper.Members = "upper", []*blockdev.Device{d}
		}
	}
	var out []blockdev.Assembly
	for _, a := range []blockdev.Assembly{group, upper} {
		if a.Name != "" {
			out = append(out, a)
		}
	}
	return out, nil
}

func (v fakeVolumes) Activate(_ context.Context, a blockdev.Assembly) ([]*blockdev.Device, error) {
	if v.refuse != nil {
		return nil, v.refuse
	}
	return []*blockdev.Device{{Name: a.Name, Kind: blockdev.KindDM, Parents: a.Members}}, nil
}

func (v fakeVolumes) Deactivate(_ context.Context, a blockdev.Assembly) error {
	if v.err == nil {
		*v.off = append(*v.off, a.Name)
	}
	return v.err
}

// lun is the disk of a LUN.
func lun(name string, number uint64) *blockdev.Device {
	return &blockdev.Device{Name: name, LUN: &blockdev.LUN{Session: 7, Number: number, Disk: name}}
}

// fakeDisk makes a disk of 8 MiB in a sysfs with partitions of 1 MiB.
func fakeDisk(t *testing.T, sys, name string, partitions ...int) {
	t.Helper()
	dir := filepath.Join(sys, "class/block", name)
	files := map[string]string{filepath.Join(dir, "size"): "16384\n"}
	for _, n := range partitions {
		part := filepath.Join(dir, name+strconv.Itoa(n))
		files[filepath.Join(part, "size")] = "2048\n"
		files[filepath.Join(part, "partition")] = strconv.Itoa(n) + "\n"
	}
	writeFiles(t, files)
}

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func names(devices []*blockdev.Device) string {
	var out []string
	for _, d := range devices {
		out = append(out, d.Name)
	}
	return strings.Join(out, " ")
}

// Layers are run until nothing new appears, each assembly once, and the devices on a disk are
// deactivated from the top.
func TestLayers(t *testing.T) {
	sys := t.TempDir()
	fakeDisk(t, sys, "sda", 1, 2)
	fakeDisk(t, sys, "sdb", 2)
	fakeDisk(t, sys, "sdc", 1)
	disks := []*blockdev.Device{lun("sda", 0), lun("sdb", 1), lun("sdc", 2), lun("gone", 3)}
	var off []string
	sk := Stand(t.Context(), sys, []blockdev.Layer{fakeVolumes{off: &off}, &Partitions{Sys: sys}}, disks)
	if got := names(sk.Devices); got != "sda sda1 sda2 sdb sdb2 group upper sdc sdc1 gone" {
		t.Errorf("devices are %s", got)
	}
	for i, want := range []string{"sda sda1 sda2 group upper", "sdb sdb2 group upper", "sdc sdc1", ""} {
		got, err := sk.On(disks[i])
		if names(got) != want || (err != nil) != (want == "") {
			t.Errorf("on %s are %q, %v, want %q", disks[i].Name, names(got), err, want)
		}
	}
	upper := sk.Devices[slices.IndexFunc(sk.Devices, func(d *blockdev.Device) bool { return d.Name == "upper" })]
	if got := upper.Disks(); names(got) != "sda sdb" || got[1].LUN == nil || got[1].LUN.Number != 1 {
		t.Errorf("upper stands on %s", names(got))
	}
	s := Set{Calls: &calls.Set{}}
	s.Add(sk)
	if err := s.Deactivate(t.Context(), "sdc"); err != nil || len(off) > 0 {
		t.Errorf("%v: taken down are %q", err, off)
	}
	if err := s.Deactivate(t.Context(), "sdb"); err != nil || strings.Join(off, " ") != "upper group" {
		t.Errorf("%v: taken down are %q", err, off)
	}
	sk = Stand(t.Context(), sys, []blockdev.Layer{fakeVolumes{refuse: unix.EIO}, &Partitions{Sys: sys}}, disks[:1])
	if got, err := sk.On(disks[0]); names(got) != "sda sda1 sda2" || err != nil || len(sk.Errs) != 1 || !errors.Is(sk.Errs[0], unix.EIO) || len(sk.Active) != 1 {
		t.Errorf("without volumes there are %s, %v, errors %v, %d active", names(got), err, sk.Errs, len(sk.Active))
	}
	for _, cause := range []error{unix.EBUSY, unix.EIO} {
		s = Set{Calls: &calls.Set{}, All: []*Active{{Layer: fakeVolumes{err: cause}, Assembly: blockdev.Assembly{Name: "group", Members: disks[:1]}}}}
		if err := s.Deactivate(t.Context(), "sda"); errors.Is(err, blockdev.ErrInUse) != (cause == unix.EBUSY) || err == nil || len(s.All) != 1 {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

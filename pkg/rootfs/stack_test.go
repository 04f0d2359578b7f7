package rootfs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
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

// Layers are run until nothing new appears, each assembly once, and the devices on a disk are
// deactivated from the top.
func TestLayers(t *testing.T) {
	p := paths{t.TempDir(), t.TempDir()}
	fakeDisk(t, p.sys, "sda", 1, 2)
	fakeDisk(t, p.sys, "sdb", 2)
	fakeDisk(t, p.sys, "sdc", 1)
	disks := []*blockdev.Device{ourDisk("sda", 0, 0), ourDisk("sdb", 0, 1), ourDisk("sdc", 0, 2), ourDisk("gone", 0, 3)}
	var off []string
	st := stand(t.Context(), p, []blockdev.Layer{fakeVolumes{off: &off}, &partitions{sys: p.sys}}, disks)
	if got := names(st.devices); got != "sda sda1 sda2 sdb sdb2 group upper sdc sdc1 gone" {
		t.Errorf("devices are %s", got)
	}
	for i, want := range []string{"sda sda1 sda2 group upper", "sdb sdb2 group upper", "sdc sdc1", ""} {
		got, err := st.on(disks[i])
		if names(got) != want || (err != nil) != (want == "") {
			t.Errorf("on %s are %q, %v, want %q", disks[i].Name, names(got), err, want)
		}
	}
	upper := st.devices[slices.IndexFunc(st.devices, func(d *blockdev.Device) bool { return d.Name == "upper" })]
	if got := upper.Disks(); names(got) != "sda sdb" || got[1].LUN == nil || got[1].LUN.Number != 1 {
		t.Errorf("upper stands on %s", names(got))
	}
	m := Storage{active: slices.Clone(st.active)}
	if err := m.deactivate(t.Context(), "sdc"); err != nil || len(off) > 0 {
		t.Errorf("%v: taken down are %q", err, off)
	}
	if err := m.deactivate(t.Context(), "sdb"); err != nil || strings.Join(off, " ") != "upper group" {
		t.Errorf("%v: taken down are %q", err, off)
	}
	st = stand(t.Context(), p, []blockdev.Layer{fakeVolumes{refuse: unix.EIO}, &partitions{sys: p.sys}}, disks[:1])
	if got, err := st.on(disks[0]); names(got) != "sda sda1 sda2" || err != nil || len(st.errs) != 1 || !errors.Is(st.errs[0], unix.EIO) || len(st.active) != 1 {
		t.Errorf("without volumes there are %s, %v, errors %v, %d active", names(got), err, st.errs, len(st.active))
	}
	for _, cause := range []error{unix.EBUSY, unix.EIO} {
		m = Storage{active: []*active{{layer: fakeVolumes{err: cause}, assembly: blockdev.Assembly{Name: "group", Members: disks[:1]}}}}
		if err := m.deactivate(t.Context(), "sda"); errors.Is(err, errInUse) != (cause == unix.EBUSY) || err == nil || len(m.active) != 1 {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

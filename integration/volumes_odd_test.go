package integration

import (
	"slices"
	"testing"
)

// Volume groups that are found with something beside the ordinary.
func TestVolumesOddMatrix(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		boot func(*testing.T)
	}{{"read-only LUN", volumesReadOnly}, {"two groups of one name", volumesOfOneName}, {"thin by UUID", volumesThinByUUID}}
	for _, row := range rows(t, len(cases)) {
		t.Run(cases[row].name, cases[row].boot)
	}
}

// The LUN with the PV is write-protected.
func volumesReadOnly(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "partition")
	before := r.sums()
	target := r.oneTarget(r.group.Paths[0])
	if out, err := target.Admin(r.ctx, "--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params", "readonly=1"); err != nil {
		t.Fatal(out, err)
	}
	r.volumeBoot("console=ttyS0 ro root=/dev/vg/root " + seedLine)
	if !slices.Equal(r.sums(), before) {
		t.Error("the disk was written to")
	}
}

// Two groups are called vg: neither is used by its name, and both places are named.
func volumesOfOneName(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "partition")
	set, err := testVolumes()
	if err != nil {
		t.Fatal(err)
	}
	other, err := set.Clone("thin", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.group.Paths = append(r.group.Paths, other.Paths...)
	before := r.sums()
	r.oneTarget(r.group.Paths...)
	m := r.boot(volumeImage, "", "console=ttyS0 root=/dev/vg/root "+seedLine)
	r.expect(m, "volume group vg: two have this name, ", "iscsiroot: step root failed after")
	r.checkShown(m, " on sda2 and ", " on sdb: rename one of them")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.sums(), before) {
		t.Error("a disk was written to")
	}
}

// Root in a thin volume is named by the UUID that its snapshot has too.
func volumesThinByUUID(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "thin")
	r.oneTarget(r.group.Paths...)
	m := r.volumeBoot("console=ttyS0 root=UUID=" + volumeRoot + " " + seedLine)
	r.checkNotShown(m, "vg-snap")
}

// One target of a mirror of LVM dies under write load: its session is ended after
// iscsi_mirror_tmo=, and the writes go on without an error. When the target comes back, the session
// is made anew, and the half is brought up to date.
func TestVolumesMirrorTargetDies(t *testing.T) {
	r := newMirrorRig(t, "mirrorlv")
	r.startSecondLeg()
	r.m = r.boot(volumeImage, "", mirrorLine)
	r.expect(r.m, "guest: mount: /dev/mapper/vg-root / ext4 rw,")
	r.waitWritten()
	if err := r.second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.expect(r.m, secondTarget+": connection lost")
	r.waitArray("raid vg-root raid1 2 AD ")
	r.waitWritten()
	r.startSecondLeg()
	r.waitArray("raid vg-root raid1 2 AA 98304/98304 idle")
	r.goDown()
	r.checkMirror()
}

package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// A volume over the LUNs of two targets, with /usr in another volume. The address is from DHCP.
func TestVolumesTwoTargetsDHCP(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "linear")
	r.twoTargets()
	r.dnsmasq("--interface=tap0", "--dhcp-range=10.77.0.50,10.77.0.50,255.255.255.0,1h")
	m := r.boot(volumeImage, "", twoTargetsLine+"ip=dhcp rw root=/dev/vg/root")
	r.expect(m, "guest: mount: /dev/mapper/vg-root / ext4 rw,", "guest: mount: /dev/mapper/vg-usr /usr ext2 rw,")
	r.waitOff(m)
	if strings.Contains(m.Output(), "vg-swap") {
		t.Error("the volume for swap was activated too")
	}
	r.checkVolume("vg-usr")
	d, err := r.group.Read(r.ctx, "vg/root", 16, filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(0); err != nil {
		t.Error(err)
	}
}

// The same disks by a static address, with other names of root, or none. Nothing is written to
// them.
func TestVolumesTwoTargetsMatrix(t *testing.T) {
	t.Parallel()
	words := []string{"root=/dev/mapper/vg-root", "root=UUID=" + volumeRoot, "", "rd.lvm.lv=vg/root root=LABEL=root"}
	for _, row := range rows(t, len(words)) {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			r := newVolumeRig(t, testVolumes, "linear")
			before := r.sums()
			r.twoTargets()
			r.volumeBoot(twoTargetsLine + "ip=10.77.0.2:::255.255.255.0::eth0:none ro " + words[row])
			if !slices.Equal(r.sums(), before) {
				t.Error("a disk was written to")
			}
		})
	}
}

// A mirror of two LUNs of one target: both halves are the same, and whole, after the boot.
func TestVolumesRAID1(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "raid1")
	r.oneTarget(r.group.Paths...)
	r.volumeBoot("console=ttyS0 root=/dev/vg/root " + seedLine)
	r.checkVolume("vg-root_rimage_0")
	r.checkVolume("vg-root_rimage_1")
}

// A mirror of which one LUN is missing is activated without it, and that is reported.
func TestVolumesDegraded(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "raid1")
	r.oneTarget(r.group.Paths[0])
	m := r.volumeBoot("console=ttyS0 rootwait root=/dev/vg/root " + seedLine)
	r.checkShown(m, "logical volume vg/root: physical volumes are missing: "+pvID(t, r.group.Paths[1]), "activating it without them")
}

// A thin volume that has a snapshot, which has the same files and is not used; no parameter names
// root.
func TestVolumesThin(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "thin")
	r.oneTarget(r.group.Paths...)
	m := r.volumeBoot("console=ttyS0 " + seedLine)
	if n := strings.Count(m.Output(), "thin_check"); n != 1 {
		t.Errorf("thin_check is named %d times, want once", n)
	}
}

// The PV is a partition, beside another one, of a LUN of gotgt's; no parameter names root.
func TestVolumesPartition(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "partition")
	before := r.sums()
	r.serve(r.group.Paths[0])
	r.volumeBoot("console=ttyS0 " + seedLine)
	if !slices.Equal(r.sums(), before) {
		t.Error("the disk was written to")
	}
}

// One of two PVs is missing: it is named, and the boot goes on when its target comes.
func TestVolumesMissingPV(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "linear")
	r.oneTarget(r.group.Paths[0])
	m := r.boot(volumeImage, "", twoTargetsLine+"ip=10.77.0.2:::255.255.255.0::eth0:none root=/dev/vg/root")
	r.expect(m, pvID(t, r.group.Paths[1]))
	r.startSecond(r.group.Paths[1])
	r.expect(m, volumeMounted)
	r.waitOff(m)
}

// A PV and its copy: neither is used, both places are named, and neither disk is written to.
func TestVolumesClonedPV(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "partition")
	copied, err := images.OpenDisk(r.group.Paths[0]).Clone(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	before := r.sums()
	r.oneTarget(r.group.Paths[0], copied.Path)
	m := r.boot(volumeImage, "", "console=ttyS0 root=/dev/vg/root "+seedLine)
	r.expect(m, "iscsiroot: step root failed after")
	r.checkShown(m, "is on sda2 and on sdb2: keep all but one of them away")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.sums(), before) || sum(t, copied.Path) != before[0] {
		t.Error("a disk was written to")
	}
}

// Root in a volume of a kind that is not supported: the message names volume and kind.
func TestVolumesCache(t *testing.T) {
	r := newVolumeRig(t, testVolumes, "cache")
	before := r.sums()
	r.oneTarget(r.group.Paths...)
	m := r.boot(volumeImage, "", "console=ttyS0 root=/dev/vg/root "+seedLine)
	r.expect(m, "iscsiroot: step root failed after")
	r.checkShown(m, "vg/root", "cache")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.sums(), before) {
		t.Error("the disk was written to")
	}
}

// Debian as its installer lays it out on LVM, with root in a plain volume, a mirror of two LUNs or
// a thin volume: systemd, udev and lvm2 know the volumes as if their own initramfs had made them,
// and dmeventd watches the mirror or the pool. Of the boot's connections the first three are reset,
// each after another number of PDUs: in the login, while the disk is searched for a PV, while root
// is mounted.
func TestVolumesDebianMatrix(t *testing.T) {
	t.Parallel()
	numbers := [][3]int{{3, 25, 60}, {7, 19, 40}, {12, 30, 75}}
	for _, row := range rows(t, len(numbers)) {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			d := newDebianVolumes(t, testVolumes, debianLayouts[row], "lvm")
			d.relogins = true
			target := d.startTgtd(targets.Config{Portal: portal(3261), LUNs: d.luns()})
			var faults []faultproxy.Fault
			for i, n := range numbers[row] {
				f := faultAfter(n, faultproxy.Reset)
				f.From, f.Until = i, i+1
				faults = append(faults, f)
			}
			p := d.proxy("10.77.0.1:3260", target.Addr(), faults...)
			d.bootVolume("amd64")
			d.checkVolumes()
			d.growRoot()
			d.leaveVolumes(target)
			if n := p.Triggered(); n != len(faults) {
				t.Errorf("%d faults injected, want %d", n, len(faults))
			}
		})
	}
}

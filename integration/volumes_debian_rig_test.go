package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// debianLayout is a recipe for Debian with what lvm2 shows of it in the running system.
type debianLayout struct {
	recipe string
	// volumes are the names, sizes and kinds of the segments of all volumes.
	volumes string
	// monitored is the volume that dmeventd watches, and plugin what it does that with.
	monitored, plugin string
}

const plainVolumes = "root 1024.00m linear\nswap_1 64.00m linear"

var debianLayouts = []debianLayout{
	{recipe: "debian", volumes: plainVolumes},
	{recipe: "debianraid", volumes: "root 1024.00m raid1\nswap_1 64.00m linear", monitored: "root", plugin: "libdevmapper-event-lvm2raid.so"},
	{
		recipe: "debianthin", volumes: "pool 256.00m thin-pool\nroot 1024.00m thin\nroot_ro 1024.00m linear\nswap_1 64.00m linear",
		monitored: "pool", plugin: "libdevmapper-event-lvm2thin.so",
	},
}

// debianVolumes is a Debian with root in a volume.
type debianVolumes struct {
	*debian
	debianLayout
	made  *volumes.Made
	disks []*images.Disk
}

// newDebianVolumes makes the disks of a Debian with LVM: /boot is partition 1 of the methods of the
// first, the volume vg/root, or its copy of that, partition 2.
func newDebianVolumes(t *testing.T, set func() (*volumes.Made, error), layout debianLayout, kind string) *debianVolumes {
	t.Helper()
	r := newRig(t)
	m, err := set()
	if err != nil {
		t.Fatal(err)
	}
	d := &debianVolumes{debian: &debian{rig: r}, debianLayout: layout, made: m}
	if d.disks, err = m.DebianDisks(layout.recipe, kind, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	// Its devices come late where the host is busy, and its fstab waits for them.
	for _, disk := range d.disks {
		if err := disk.ReplaceFile(2, "/etc/systemd/system.conf", "[Manager]\nDefaultDeviceTimeoutSec=15min\n"); err != nil {
			t.Fatal(err)
		}
	}
	d.disk = d.disks[0]
	d.renew()
	return d
}

// luns are the disks as LUNs of one target.
func (d *debianVolumes) luns() map[int]string {
	luns := map[int]string{}
	for i, disk := range d.disks {
		luns[i+1] = disk.Path
	}
	return luns
}

// bootVolume boots the system to its login prompt, as [debian.boot] does, from the root that
// Debian's installer writes into grub.cfg.
func (d *debianVolumes) bootVolume(kernel string) {
	d.t.Helper()
	img := volumeImage
	img.kernel = kernel
	d.m = d.start(img, lab.MachineConfig{
		Append: "console=ttyS0 root=/dev/mapper/vg-root " + seedLine, MemoryMiB: 1024, NICs: []lab.NIC{{Tap: d.tap}},
	})
	d.login()
	d.waitRunning()
}

// checkVolumes checks that the running system has its volumes.
func (d *debianVolumes) checkVolumes() {
	d.t.Helper()
	for _, tt := range []struct{ command, want string }{
		{"findmnt -rno SOURCE,FSTYPE / | cut -d ' ' -f 1,2", "/dev/mapper/vg-root ext4"},
		{"lvs --noheadings -o lv_name,lv_size,segtype --units m vg | sort | xargs -n 3 echo", d.volumes},
		{"lvs --noheadings -o lv_active vg/root vg/swap_1 | xargs echo", "active active"},
		{"lvs 2>&1 >/dev/null", ""},
		{"readlink -f /dev/vg/root /dev/mapper/vg-root /dev/disk/by-uuid/$(findmnt -no UUID /) | uniq -c | xargs echo | cut -d ' ' -f 1", "3"},
		{`systemctl is-active 'dev-mapper-vg\x2droot.device' 'dev-vg-root.device'`, "active\nactive"},
		{`systemctl is-active 'dev-mapper-vg\x2dswap_1.swap'`, "active"},
		{"swapon --noheadings --show=SIZE", "64M"},
		{"udevadm info -q property -n /dev/mapper/vg-root | grep -E '^DM_(VG|LV)_NAME=|^DM_UDEV_RULES_VSN=[23]$' | cut -d = -f 1 | sort | xargs echo", "DM_LV_NAME DM_UDEV_RULES_VSN DM_VG_NAME"},
		{"findmnt -no SOURCE /boot", "/dev/sda1"},
		{"dmsetup udevcookies | grep -c ^0x", "0"},
		{"systemctl is-active lvm2-monitor.service", "active"},
		{"lvs --noheadings -o lv_name -S seg_monitor=monitored vg | xargs echo", d.monitored},
		{"cat /proc/$(pidof dmeventd)/maps 2>/dev/null | grep -o 'libdevmapper-event-lvm2[a-z]*.so' | grep -v lvm2.so | sort -u", d.plugin},
		// Activation by lvm2 finds all as it would make it: no error, and no other table.
		{"dmsetup table >/tmp/tables; vgchange -ay >/tmp/changed 2>&1; grep -v 'now active$' /tmp/changed; vgchange --refresh 2>&1; dmsetup table | cmp - /tmp/tables && echo same", "same"},
	} {
		if got := d.run(tt.command); got != tt.want {
			d.t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
	}
}

// growRoot makes root larger while it is in use.
func (d *debian) growRoot() {
	d.t.Helper()
	before := d.run("findmnt -bno SIZE /")
	if got := d.run("lvextend -r -L +16M vg/root >/tmp/grown 2>&1; echo $?; lvs --noheadings -o lv_size --units m vg/root | xargs echo"); got != "0\n1040.00m" {
		d.t.Errorf("root was made larger: %s: %s", got, d.run("cat /tmp/grown"))
	}
	if after := d.run("findmnt -bno SIZE /"); after == before || len(strings.Fields(after)) != 1 {
		d.t.Errorf("root's file system has %s bytes, as before %s", after, before)
	}
}

// leaveVolumes turns the system off, which takes its volumes down and logs out, and checks what is
// left on the disks.
func (d *debianVolumes) leaveVolumes(target *targets.Tgtd) {
	d.t.Helper()
	d.writeData()
	d.run("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	written := d.data
	if d.monitored == "pool" {
		d.data = "" // the disk has the origin, which has no data
	}
	d.powerOff()
	d.checkShown(d.m, "iscsiroot: shutdown: poweroff", "session 1: logged out")
	d.checkNotShown(d.m, "shutdown: unmount", "no end after")
	d.loggedOut(target)
	for _, disk := range d.disks[1:] {
		d.checkDataOf(disk, 2)
		if err := disk.Check(2); err != nil {
			d.t.Error(err)
		}
	}
	if d.data = written; d.monitored == "pool" {
		d.checkThin()
	}
}

// checkThin checks the file system of a thin root as lvm2 reads it.
func (d *debianVolumes) checkThin() {
	d.t.Helper()
	group, err := d.made.Clone(d.recipe, d.t.TempDir())
	if err != nil {
		d.t.Fatal(err)
	}
	group.Paths = []string{d.disk.Path}
	root, err := group.Read(d.ctx, "vg/root", 1040, filepath.Join(d.t.TempDir(), "root"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.checkDataOf(root, 0)
	if err := root.Check(0); err != nil {
		d.t.Error(err)
	}
}

package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// newDebianVolumes makes the disk of a Debian with LVM: /boot is partition 1 of its methods, the
// volume vg/root partition 2.
func newDebianVolumes(t *testing.T, set func() (*volumes.Made, error), recipe, kind string) *debian {
	t.Helper()
	r := newRig(t)
	m, err := set()
	if err != nil {
		t.Fatal(err)
	}
	if r.disk, err = m.DebianDisk(recipe, kind, filepath.Join(t.TempDir(), "disk.img")); err != nil {
		t.Fatal(err)
	}
	// Its devices come late where the host is busy, and its fstab waits for them.
	if err := r.disk.ReplaceFile(2, "/etc/systemd/system.conf", "[Manager]\nDefaultDeviceTimeoutSec=15min\n"); err != nil {
		t.Fatal(err)
	}
	one := &debian{rig: r}
	one.renew()
	return one
}

// bootVolume boots the system to its login prompt, as [debian.boot] does, from the root that
// Debian's installer writes into grub.cfg.
func (d *debian) bootVolume(kernel string) {
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
func (d *debian) checkVolumes() {
	d.t.Helper()
	for _, tt := range []struct{ command, want string }{
		{"findmnt -rno SOURCE,FSTYPE / | cut -d ' ' -f 1,2", "/dev/mapper/vg-root ext4"},
		{"lvs --noheadings -o vg_name,lv_name,lv_active,lv_size --units m | sort | xargs -n 4 echo", "vg root active 1024.00m\nvg swap_1 active 64.00m"},
		{"lvs 2>&1 >/dev/null", ""},
		{"readlink -f /dev/vg/root /dev/mapper/vg-root /dev/disk/by-uuid/$(findmnt -no UUID /) | uniq -c | xargs echo", "3 /dev/dm-0"},
		{`systemctl is-active 'dev-mapper-vg\x2droot.device' 'dev-vg-root.device'`, "active\nactive"},
		{`systemctl is-active 'dev-mapper-vg\x2dswap_1.swap'`, "active"},
		{"swapon --noheadings --show=NAME,SIZE | xargs echo", "/dev/dm-1 64M"},
		{"udevadm info -q property -n /dev/mapper/vg-root | grep -E '^DM_(VG|LV)_NAME=|^DM_UDEV_RULES_VSN=[23]$' | cut -d = -f 1 | sort | xargs echo", "DM_LV_NAME DM_UDEV_RULES_VSN DM_VG_NAME"},
		{"findmnt -no SOURCE /boot", "/dev/sda1"},
		{"dmsetup udevcookies | grep -c ^0x", "0"},
		{"systemctl is-active lvm2-monitor.service", "active"},
		// Activation by lvm2 finds all as it would make it: no error, and no other table.
		{"dmsetup table >/tmp/tables; vgchange -ay 2>&1 | tr -d '\"'; vgchange --refresh 2>&1; dmsetup table | cmp - /tmp/tables && echo same", "2 logical volume(s) in volume group vg now active\nsame"},
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

// leaveVolumes turns the system off, which takes its volumes down and logs out.
func (d *debian) leaveVolumes(target *targets.Tgtd) {
	d.t.Helper()
	d.writeData()
	d.run("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	d.powerOff()
	d.checkShown(d.m, "iscsiroot: shutdown: poweroff", "session 1: logged out")
	d.checkNotShown(d.m, "shutdown: unmount", "no end after")
	d.loggedOut(target)
}

//go:build soak

package integration

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

var debianArrays = sync.OnceValues(func() (*volumes.Made, error) {
	return makeArrays("debianmirror", []volumes.Recipe{volumes.DebianMirrorRecipe("debianmirror")})
})

// Debian as its installer lays out LVM on a mirror, over two targets: systemd, udev and mdadm know
// the array as if their own initramfs had made it. One target dies and comes back while Debian
// runs: udev's rules find a member then, and the agent too.
func TestSoakArraysDebian(t *testing.T) {
	r := newRig(t)
	m, err := debianArrays()
	if err != nil {
		t.Fatal(err)
	}
	first, second, err := m.DebianMirror("debianmirror", "lvm", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*images.Disk{first, second} {
		if err := d.ReplaceFile(2, "/etc/systemd/system.conf", "[Manager]\nDefaultDeviceTimeoutSec=15min\n"); err != nil {
			t.Fatal(err)
		}
	}
	r.disk = first
	d := &debian{rig: r, relogins: true}
	d.renew()
	target, other := d.oneTarget(first.Path), d.startSecond(second.Path)
	d.m = d.start(arrayImage, lab.MachineConfig{
		Append:    twoTargetsLine + "ip=10.77.0.2:::255.255.255.0::eth0:none root=/dev/mapper/vg-root iscsi_mirror_tmo=5",
		MemoryMiB: 1024, NICs: []lab.NIC{{Tap: d.tap}},
	})
	d.login()
	d.waitRunning()
	d.checkDebianArray()
	d.growRoot()
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	d.waitDetail("Active Devices : 1", "degraded")
	d.writeFile()
	other = d.startSecond(second.Path)
	d.waitDetail("Active Devices : 2", "")
	d.checkDebianArray()
	if state := d.writeFile(); state != "LOGGED_IN\nLOGGED_IN" {
		t.Errorf("the sessions are %q", state)
	}
	d.run("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	d.typeLine("poweroff")
	if exit, err := d.m.Wait(d.ctx); err != nil || exit.Reason != "guest-shutdown" {
		t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	d.checkShown(d.m, "iscsiroot: shutdown: poweroff")
	d.checkNotShown(d.m, "shutdown: unmount", "no end after", "EXT4-fs error", "EXT4-fs warning", "I/O error, dev md", "I/O error, dev dm-")
	d.loggedOut(target)
	d.loggedOut(other)
	for i, one := range []*images.Disk{first, second} {
		d.disk = one
		d.checkData()
		head := readMemberHead(t, one.Path, 17<<20+4096)
		if err := one.Check(2); err != nil || !head.clean {
			t.Errorf("half %d: %+v, %v", i, head, err)
		}
	}
}

// checkDebianArray checks what the running system knows of its array, and of root on it.
func (d *debian) checkDebianArray() {
	d.t.Helper()
	set := readMemberHead(d.t, d.disk.Path, 17<<20+4096).set
	for _, tt := range []struct{ command, want string }{
		{"findmnt -rno SOURCE,FSTYPE / | cut -d ' ' -f 1,2", "/dev/mapper/vg-root ext4"},
		{"lvs 2>&1 >/dev/null", ""},
		{"pvs --noheadings -o pv_name | xargs readlink -f | sed 's/[0-9]*$//'", "/dev/md"},
		{"mdadm --detail --scan", "ARRAY /dev/md/pv metadata=1.2 name=diskless:pv UUID=" + set},
		{"mdadm --detail /dev/md/pv | grep -E 'Working Devices :|degraded' | xargs echo", "Working Devices : 2"},
		{"readlink -f /dev/md/pv /dev/disk/by-id/md-uuid-" + set + " /dev/disk/by-id/md-name-diskless:pv | uniq -c | xargs echo | cut -d ' ' -f 1", "3"},
		{"systemctl is-active mdmonitor", "active"},
		{"systemctl is-active 'dev-mapper-vg\\x2droot.device'", "active"},
		{"systemctl --failed --no-legend", ""},
	} {
		if got := d.run(tt.command); got != tt.want {
			d.t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
	}
}

// waitDetail waits until mdadm shows a line, and checks the word in the array's state.
func (d *debian) waitDetail(line, state string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, textDeadline)
	defer cancel()
	for !strings.Contains(d.run("mdadm --detail /dev/md/pv"), line) {
		if ctx.Err() != nil {
			d.t.Fatalf("mdadm never shows %q: %s", line, d.run("mdadm --detail /dev/md/pv; cat /proc/mdstat"))
		}
		d.run("sleep 1")
	}
	if got := d.run("mdadm --detail /dev/md/pv | grep 'State :'"); !strings.Contains(got, state) {
		d.t.Errorf("state %q, want %q", got, state)
	}
}

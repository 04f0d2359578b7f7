//go:build soak

package integration

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

var debianArrays = sync.OnceValues(func() (*volumes.Made, error) {
	return makeArrays("debianmirror", []volumes.Recipe{volumes.DebianMirrorRecipe("debianmirror")})
})

// Debian as its installer lays out LVM on a mirror, over two targets: systemd, udev and mdadm know
// the array as if their own initramfs had made it. One target dies and comes back while Debian
// runs: udev's rules find a member then, and the agent too.
func TestSoakArraysDebian(t *testing.T) {
	d := newDebianArray(t, "lvm")
	d.startOther()
	d.bootArray()
	d.checkArray()
	d.growRoot()
	if err := d.other.Stop(); err != nil {
		t.Fatal(err)
	}
	d.waitDetail("Active Devices : 1", "degraded")
	d.writeFile()
	d.startOther()
	d.waitDetail("Active Devices : 2", "")
	d.checkArray()
	d.leave()
}

// One of the targets is away when Debian 12 and 13 start: the system is up without a failed unit,
// and mdadm shows and watches the array that lacks a member. When the target comes, the member is
// in that array again, and in no other.
func TestSoakArraysDebianDegraded(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"lvm", "lvm-trixie"} {
		t.Run(kind, func(t *testing.T) {
			d := newDebianArray(t, kind)
			d.bootArray()
			d.waitDetail("Active Devices : 1", "degraded")
			for _, tt := range []struct{ command, want string }{
				{"mdadm --detail --test /dev/md/pv >/dev/null; echo $?", "1"}, // mdadm(8): a failed device
				{"mdadm --detail /dev/md/pv | grep -E 'Total Devices|Working Devices' | xargs echo", "Total Devices : 1 Working Devices : 1"},
				{"systemctl is-active mdmonitor", "active"},
				{"pgrep -fc 'mdadm --monitor'", "1"},
				{"grep -c ^md /proc/mdstat", "1"},
			} {
				d.check(tt.command, tt.want)
			}
			d.writeFile()
			d.startOther()
			d.waitDetail("Active Devices : 2", "")
			d.run("udevadm settle")
			d.checkArray()
			d.leave()
		})
	}
}

// debianArray is a Debian on a mirror of the LUNs of two targets.
type debianArray struct {
	*debian
	halves        []*images.Disk
	target, other *targets.Tgtd
}

// newDebianArray makes the disks, and starts the first target.
func newDebianArray(t *testing.T, kind string) *debianArray {
	t.Helper()
	r := newRig(t)
	m, err := debianArrays()
	if err != nil {
		t.Fatal(err)
	}
	d := &debianArray{debian: &debian{rig: r, relogins: true}}
	if d.halves, err = m.DebianDisks("debianmirror", kind, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, half := range d.halves {
		if err := half.ReplaceFile(2, "/etc/systemd/system.conf", "[Manager]\nDefaultDeviceTimeoutSec=15min\n"); err != nil {
			t.Fatal(err)
		}
	}
	d.disk = d.halves[0]
	d.renew()
	d.target = d.oneTarget(d.halves[0].Path)
	return d
}

// startOther starts the second target.
func (d *debianArray) startOther() {
	d.t.Helper()
	d.other = d.startSecond(d.halves[1].Path)
}

// bootArray boots to a system without a failed unit.
func (d *debianArray) bootArray() {
	d.t.Helper()
	d.m = d.start(arrayImage, lab.MachineConfig{
		Append:    twoTargetsLine + "ip=10.77.0.2:::255.255.255.0::eth0:none root=/dev/mapper/vg-root iscsi_mirror_tmo=5",
		MemoryMiB: 1024, NICs: []lab.NIC{{Tap: d.tap}},
	})
	d.login()
	d.waitRunning()
}

// leave turns the system off, and checks that both halves are clean and have what was written.
func (d *debianArray) leave() {
	d.t.Helper()
	if state := d.writeFile(); state != "LOGGED_IN\nLOGGED_IN" {
		d.t.Errorf("the sessions are %q", state)
	}
	d.run("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	d.typeLine("poweroff")
	if exit, err := d.m.Wait(d.ctx); err != nil || exit.Reason != "guest-shutdown" {
		d.t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	d.checkShown(d.m, "iscsiroot: shutdown: poweroff")
	d.checkNotShown(d.m, "shutdown: unmount", "no end after", "EXT4-fs error", "EXT4-fs warning", "I/O error, dev md", "I/O error, dev dm-")
	d.loggedOut(d.target)
	d.loggedOut(d.other)
	for i, half := range d.halves {
		d.checkDataOf(half, 2)
		head := readMemberHead(d.t, half.Path, 17<<20+4096)
		if err := half.Check(2); err != nil || !head.clean {
			d.t.Errorf("half %d: %+v, %v", i, head, err)
		}
	}
}

func (d *debian) check(command, want string) {
	d.t.Helper()
	if got := d.run(command); got != want {
		d.t.Errorf("%s: %q, want %q", command, got, want)
	}
}

// checkArray checks what the running system knows of its array, and of root on it.
func (d *debianArray) checkArray() {
	d.t.Helper()
	set := readMemberHead(d.t, d.disk.Path, 17<<20+4096).set
	for _, tt := range []struct{ command, want string }{
		{"findmnt -rno SOURCE,FSTYPE / | cut -d ' ' -f 1,2", "/dev/mapper/vg-root ext4"},
		{"lvs 2>&1 >/dev/null", ""},
		{"pvs --noheadings -o pv_name | xargs readlink -f | sed 's/[0-9]*$//'", "/dev/md"},
		{"mdadm --detail --scan | sed 's, name=diskless:pv,,'", "ARRAY /dev/md/pv metadata=1.2 UUID=" + set}, // mdadm 4.4 prints no name
		{"mdadm --detail /dev/md/pv | grep -E 'Working Devices :|degraded' | xargs echo", "Working Devices : 2"},
		{"readlink -f /dev/md/pv /dev/disk/by-id/md-uuid-" + set + " /dev/disk/by-id/md-name-diskless:pv | uniq -c | xargs echo | cut -d ' ' -f 1", "3"},
		{"systemctl is-active mdmonitor", "active"},
		{"systemctl is-active 'dev-mapper-vg\\x2droot.device'", "active"},
		{"systemctl --failed --no-legend", ""},
		{"grep -c ^md /proc/mdstat; grep inactive /proc/mdstat", "1"},
	} {
		d.check(tt.command, tt.want)
	}
}

// waitDetail waits until mdadm shows a line, and checks the word in the array's state.
func (d *debianArray) waitDetail(line, state string) {
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

package integration

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// No parameter names a LUN, and LUN 0 does not have root: the others are searched in ascending
// order until root is found, and root's LUN is the only one that the real system gets. A target
// whose only LUN is 20 works.
func TestLUNSearch(t *testing.T) {
	const uuid = "6b656e63-0000-4000-8000-000000000002"
	r := newPeerRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 16, UUID: uuid, Tree: root("disks")})
	data, err := images.WriteDisk(filepath.Join(t.TempDir(), "data.img"), images.Filesystem{Type: "ext4", MiB: 8, Label: "data", Tree: images.Tree{"srv": images.Dir()}})
	if err != nil {
		t.Fatal(err)
	}
	c := r.targetConfig()
	c.LUNs = map[int]string{0: data.Path, 1: blank(t, 4), 7: r.disk.Path, 9: blank(t, 4)}
	target, err := targets.StartGotgt(r.ctx, r.ns, c)
	if err != nil {
		t.Fatal(err)
	}
	m := r.boot(virtio, "", console+"ip=10.77.0.2:::255.255.255.0::eth0:none rd.iscsi.initiator="+initiator+
		" netroot=iscsi:10.77.0.1::::"+targetName+" root=UUID="+uuid+" ro")
	r.expect(m, "iscsiroot: disk sda is lun 0 of", "looking at 3 more LUNs of "+targetName, "iscsiroot: disk sdb is lun 1 of", "iscsiroot: disk sdc is lun 7 of",
		"iscsiroot: lun 0 of "+targetName+" is detached", "iscsiroot: lun 1 of "+targetName+" is detached", "guest: disk sdc")
	r.waitOff(m)
	if got := attached(m); got != "sdc sdc1 sdc2" {
		t.Errorf("the real system has %s", got)
	}
	r.checkShown(m, "guest: disk sdc2")
	if strings.Contains(m.Output(), "lun 9 of") {
		t.Error("a LUN after root's was searched")
	}
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	c.LUNs = map[int]string{20: r.disk.Path}
	if _, err := targets.StartGotgt(r.ctx, r.ns, c); err != nil {
		t.Fatal(err)
	}
	m = r.resume(virtio, "root=/dev/sda2")
	r.expect(m, "iscsiroot: disk sda is lun 20 of "+targetName, "guest: disk sda")
	r.waitOff(m)
}

// attached lists the disks and partitions of the guest.
func attached(m *lab.Machine) string {
	var out []string
	for _, found := range regexp.MustCompile(`guest: disk (sd[a-z]+[0-9]*) `).FindAllStringSubmatch(m.Output(), -1) {
		out = append(out, found[1])
	}
	return strings.Join(out, " ")
}

// Case 14 of the field: a write-protected LUN has an ext4 whose journal needs recovery. It is
// mounted with noload. Before that the target's port is in standby for a while, after the disk was
// found; the boot waits for it.
func TestDirtyReadOnlyLUN(t *testing.T) {
	r := newRig(t)
	disk := fsImage(t, 32, rootDir(t, "", nil), "mke2fs -q -F -t ext4 -d DIR")
	block := blank(t, 1)
	tool(t, "truncate", "-s", "4096", block)
	tool(t, "sh", "-c", "printf 'jo\\njw -b 5000 "+block+"\\njc\\nfeature needs_recovery\\n' | PATH=$PATH:/usr/sbin:/sbin debugfs -w "+disk)
	before := sum(t, disk)
	r.disk = &images.Disk{Path: disk}
	target := r.startTgtd(targets.Config{Portal: portal(3261)})
	if out, err := target.Admin(r.ctx, "--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params", "readonly=1"); err != nil {
		t.Fatal(out, err)
	}
	p := r.proxy("10.77.0.1:3260", portal(3261))
	p.Follow()
	m := r.boot(virtio, "", console+"rd.shell rd.break=root root=/dev/sda ro "+seedLine)
	r.expect(m, "iscsiroot: disk sda is lun 1 of", "break before step root", prompt)
	p.NotReady(0x04, 0x0b)
	r.send(m, "exit\n", "continuing with step root", "iscsiroot: root: probe /dev/sda: ", "trying again")
	p.Sense(0)
	r.expect(m, "iscsiroot: root: succeeded after", "iscsiroot: root /dev/sda (ext4) was not unmounted cleanly\n", "iscsiroot: root /dev/sda (ext4): read-only file system: mounted with noload without replaying its journal: recent writes are missing and it may be inconsistent: allow writes at the target once",
		"guest: mount: /dev/sda / ext4 ro,", "norecovery")
	r.waitOff(m)
	if sum(t, disk) != before {
		t.Error("the disk was written to")
	}
}

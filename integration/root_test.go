package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const rootUUID = "11111111-2222-4333-8444-5555555555"

// xfs on a partition given relative to another one's PARTUUID, read-write, with /usr on a third
// that was not unmounted cleanly.
func TestRootXFSAndUsr(t *testing.T) {
	r := newRig(t)
	root := rootDir(t, "", map[string]string{"etc/fstab": "LABEL=the\\040usr /usr auto defaults,noatime,x-systemd.x 0 2\n"})
	proto := filepath.Join(t.TempDir(), "proto")
	text := fmt.Sprintf("/\n0 0\nd--755 0 0\nsbin d--755 0 0\ninit ---755 0 0 %s/sbin/init\n$\netc d--755 0 0\nfstab ---644 0 0 %s/etc/fstab\n$\n"+
		"dev d--755 0 0\n$\nproc d--755 0 0\n$\nsys d--755 0 0\n$\nrun d--755 0 0\n$\nusr d--755 0 0\n$\n$\n", root, root)
	if err := os.WriteFile(proto, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	xfs := fsImage(t, 304, proto, "mkfs.xfs -q -p DIR")
	usr := fsImage(t, 8, "", "mke2fs -q -F -t ext4 -L the~usr")
	tool(t, "debugfs", "-w", "-R", "feature +needs_recovery", usr)
	disk := partitioned(t, 320, "label: gpt\nstart=1MiB, size=1MiB, uuid="+rootUUID+"01\nstart=2MiB, size=304MiB\nstart=306MiB, size=8MiB\n", map[int]string{2: xfs, 306: usr})
	r.serve(disk)
	m := r.rootBoot("root=PARTUUID=" + rootUUID + "01/PARTNROFF=1 rw")
	r.expect(m, "iscsiroot: /usr /dev/sda3 (ext4) was not unmounted cleanly", "iscsiroot: /usr is /dev/sda3 (ext4)",
		"guest: mount: /dev/sda2 / xfs rw,", "guest: mount: /dev/sda3 /usr ext4 rw,noatime")
	r.waitOff(m)
}

// btrfs on the whole LUN, by a label with a blank; then a subvolume of it that the first boot has
// made.
func TestRootBtrfs(t *testing.T) {
	r := newRig(t)
	disk := fsImage(t, 128, rootDir(t, "subvolume", nil), "mkfs.btrfs -q -L my~root --rootdir DIR")
	target := r.serve(disk)
	m := r.rootBoot(`rw root=LABEL=my\x20root`)
	r.expect(m, "guest: mount: /dev/sda / btrfs rw,", "guest: made subvolume @new")
	r.waitOff(m)
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	r.serve(disk)
	m = r.rootBoot(`root="LABEL=my root" rootflags=subvol=@new rootfstype=btrfs`)
	r.expect(m, "guest: mount: /dev/sda / btrfs ro,", "subvol=/@new")
	r.waitOff(m)
}

// f2fs on a logical partition of an MBR, by PARTUUID, with a list in rootfstype=. A local disk has
// the same content, and is not used.
func TestRootF2FSBesideACopy(t *testing.T) {
	r := newRig(t)
	f2fs := fsImage(t, 100, "", "mkfs.f2fs -q")
	tool(t, "sload.f2fs", "-f", rootDir(t, "", nil), f2fs)
	disk := partitioned(t, 116, "label: dos\nlabel-id: 0x15c51007\nstart=1MiB, size=1MiB\nstart=2MiB, type=5\nstart=4MiB, size=2MiB\nstart=8MiB, size=100MiB\n", map[int]string{8: f2fs})
	local := filepath.Join(t.TempDir(), "local")
	copyInto(t, local, disk, 0)
	before := sum(t, local)
	r.serve(disk)
	m := r.rootBoot("rd.driver.pre=virtio_blk root=PARTUUID=15c51007-06 rootfstype=ext4,f2fs rw", localDisk(local)...)
	r.expect(m, "guest: mount: /dev/sda6 / f2fs rw,")
	r.waitOff(m)
	r.checkShown(m, "virtio_blk", "vda1 vda2 < vda5 vda6 >")
	if sum(t, local) != before {
		t.Error("the local disk was written to")
	}
}

// localDisk are QEMU's arguments for a local disk.
func localDisk(path string) []string {
	return []string{"-drive", "if=virtio,format=raw,file=" + path}
}

// Read-only file systems, each with another form of root=; the disk is not changed.
func TestRootReadOnlyMatrix(t *testing.T) {
	t.Parallel()
	path := "/dev/disk/by-path/ip-10.77.0.1:3260-iscsi-" + targetName + "-lun-0"
	tests := []struct {
		name, mkfs, line, want string
	}{
		{"erofs", "mkfs.erofs {} DIR", "root=" + path, "guest: mount: /dev/sda / erofs ro,"},
		{"squashfs", "mksquashfs DIR {} -quiet -no-progress", "root=UUID=none rootwait=1 rootfallback=8:1 rootfallback=/dev/disk/by-id/wwn-0x3000000000000001", "guest: mount: /dev/sda / squashfs ro,"},
		{"iso9660", "genisoimage -quiet -R -V THE_ROOT -o {} DIR", "root=8:0", "guest: mount: /dev/sda / iso9660 ro,"},
	}
	for _, row := range rows(t, len(tests)) {
		tt := tests[row]
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			disk := fsImage(t, 0, rootDir(t, "", nil), tt.mkfs)
			if info, err := os.Stat(disk); err != nil {
				t.Fatal(err)
			} else if err := os.Truncate(disk, (info.Size()+1<<20)&^(1<<20-1)); err != nil {
				t.Fatal(err)
			}
			before := sum(t, disk)
			r.serve(disk)
			m := r.rootBoot(tt.line)
			r.expect(m, tt.want)
			r.waitOff(m)
			if sum(t, disk) != before {
				t.Error("the disk was written to")
			}
		})
	}
}

// A disk with seven partitions and no root, beside a local disk that has one: the message lists
// every partition, and neither disk is changed.
func TestNoRootOnAnyPartition(t *testing.T) {
	r := newRig(t)
	ext4 := fsImage(t, 16, "", "mke2fs -q -F -t ext4 -O ^metadata_csum")
	for _, command := range []string{"write /proc/self/status orphan", "set_inode_field orphan links_count 0", "unlink orphan", "set_super_value last_orphan 12", "feature +needs_recovery"} {
		tool(t, "debugfs", "-w", "-R", command, ext4)
	}
	luks := blank(t, 20)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", luks, key)
	disk := partitioned(t, 620, "label: gpt\nstart=1MiB, size=16MiB\nstart=20MiB, size=20MiB\nstart=40MiB, size=4MiB\nstart=44MiB, size=304MiB\nstart=348MiB, size=128MiB\nstart=476MiB, size=64MiB\nstart=540MiB, size=8MiB\n", map[int]string{
		1: ext4, 20: luks, 40: fsImage(t, 4, "", "mkswap"), 44: fsImage(t, 304, "", "mkfs.xfs -q"),
		348: fsImage(t, 128, "", "mkfs.btrfs -q"), 476: fsImage(t, 100, "", "mkfs.f2fs -q"), 540: fsImage(t, 8, "", "mkfs.vfat"),
	})
	local := fsImage(t, 16, rootDir(t, "", nil), "mke2fs -q -F -t ext4 -d DIR")
	sums := [2]string{sum(t, disk), sum(t, local)}
	target := r.serve(disk)
	m := r.rootBoot("rd.driver.pre=virtio_blk", localDisk(local)...)
	r.expect(m, "iscsiroot: step root failed after", "no file system with an init on",
		"/dev/sda2: this is LUKS, which is not supported", "init /sbin/init on /dev/sda1: file does not exist", "/dev/sda3: this is swap space, not a file system",
		"init /sbin/init on /dev/sda4: file does not exist", "init /sbin/init on /dev/sda5: file does not exist", "init /sbin/init on /dev/sda6: file does not exist",
		"/dev/sda7: this is vfat, which cannot hold a root", "/dev/sda: no known file system")
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := target.Stop(); err != nil {
		t.Fatal(err)
	}
	if sum(t, disk) != sums[0] || sum(t, local) != sums[1] {
		t.Error("the search for root changed a disk")
	}
}

// With rd.root.any root may be on a local disk, and rootwait waits for one that is plugged in
// later.
func TestRootwaitHotplug(t *testing.T) {
	r := newRig(t)
	r.serve(fsImage(t, 8, "", "mke2fs -q -F -t ext4"))
	local := fsImage(t, 16, rootDir(t, "", nil), "mke2fs -q -F -t ext4 -d DIR -U "+rootUUID+"02")
	m := r.rootBoot("rd.driver.pre=virtio_blk rd.root.any rootwait root=UUID="+rootUUID+"02", "-drive", "if=none,id=late,format=raw,file="+local)
	r.expect(m, "iscsiroot: root UUID="+rootUUID+"02: no disk has such a device: waiting for it")
	if _, err := m.QMP(r.ctx, "device_add", map[string]string{"driver": "virtio-blk-pci", "drive": "late", "id": "late0"}); err != nil {
		t.Fatal(err)
	}
	r.expect(m, "guest: mount: /dev/vda / ext4 ro,")
	r.waitOff(m)
}

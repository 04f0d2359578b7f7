package main

import (
	"os"
	"strings"
	"testing"
)

const seedLine = "iscsi_i=iqn.2007-01.com.example:server.remote1 iscsi_i_ip=10.1.1.165/255.255.255.192 iscsi_t=iqn.2007-01.com.example:storage.remote1 iscsi_a=10.1.1.180"

func TestCheck(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	mods := "tree/lib/modules/" + release
	s.write(mods+"/kernel/drivers/net/virtio_net.ko", module("virtio_net", "firmware=virtio.fw"))
	s.write("secret", "iqn.2007-01.com.example:storage.remote2 user sesame-open-12\n")
	if err := os.Chmod(s.path("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := s.build("--nic", "virtio_net", "--fs", "ext4", "--default", "iscsi_a=10.1.1.180"); status != 0 {
		t.Fatal(errs)
	}
	if status, _, errs := s.build("--nic", "virtio_net", "--fs", "ext4", "--credentials", "~/secret", "-o", "~/out/secret.img"); status != 0 {
		t.Fatal(errs)
	}
	s.write("system/etc/fstab", "/dev/mapper/vg-root / ext4 defaults 0 1\n/dev/sdb1 /usr xfs ro 0 0\n")
	s.write("system/etc/lvm/devices/system.devices", "VERSION=1.1.3\nIDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda3 PVID=x PART=3\nIDTYPE=md_uuid IDNAME=a DEVNAME=/dev/md0\n")
	s.write("plain/etc/fstab", "LABEL=root / ext4 defaults 0 1\n")
	s.write("array/etc/fstab", "# / was on /dev/md/0 during installation\nUUID=ab / ext4 defaults 0 1\n/dev/md1 /usr ext4 ro 0 0\n")
	s.write("array/etc/mdadm/mdadm.conf", "ARRAY /dev/md/0 level=raid1 UUID=1\n")
	s.write("perhaps/etc/fstab", "UUID=ab / ext4 defaults 0 1\n")
	s.write("perhaps/etc/mdadm.conf", "ARRAY /dev/md/0 level=raid1 UUID=1\n")
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   []string // parts of stdout
	}{
		{"all there", []string{"--cmdline", seedLine}, 0, []string{"initrd.img: nothing is missing\n"}},
		{"default in the image", []string{"--cmdline", strings.Replace(seedLine, "iscsi_a=10.1.1.180", "", 1)}, 0, []string{"nothing is missing\n"}},
		{"no parameter", nil, 1, []string{"error: this machine's address is not given: write iscsi_i_ip=", "error: the target name is not given"}},
		{"mistake", []string{"--cmdline", seedLine + " iscsi_p=x"}, 1, []string{"error: parameter iscsi_p=x"}},
		{"file system", []string{"--cmdline", seedLine + " rootfstype=xfs"}, 1, []string{"error: for rootfstype=xfs: module xfs: not in the module tree\n"}},
		{"devices", []string{"--cmdline", seedLine + " vlan=vlan5:eth0"}, 1, []string{"error: for vlan=, bond= or bridge=: module 8021q: not in the module tree\n"}},
		{"card", []string{"--cmdline", seedLine, "--nic", "8086:100e"}, 1, []string{"error: network card: 1 devices: none of them"}},
		{"firmware", []string{"--cmdline", seedLine, "--nic", "1af4:1000"}, 0, []string{"warning: module virtio_net: firmware virtio.fw is not in the image"}},
		{"length", []string{"--cmdline", seedLine + " x=" + strings.Repeat("x", 2048)}, 1, []string{"error: command line has "}},
		{"count", []string{"--cmdline", seedLine + strings.Repeat(" a=b", 27)}, 1, []string{"error: command line has 31 undotted key=value words"}},
		{"kernel", []string{"--cmdline", seedLine, "--kernel-version", "9.9"}, 1, []string{"error: there are no modules for kernel 9.9\n"}},
		{"system", []string{"--cmdline", seedLine, "--root", "~/system"}, 1, []string{
			"error: for / in root's etc/fstab: module dm_mod: not in the module tree\n", "error: for /usr in root's etc/fstab: module xfs: not in the module tree\n",
			"warning: root's etc/lvm/devices/system.devices lists /dev/sda3 by sys_wwid: on a copy of that disk LVM of the real system finds no volume: run vgimportdevices there, or remove the file\n",
		}},
		{"plain system", []string{"--cmdline", seedLine, "--root", "~/plain"}, 0, []string{"nothing is missing\n"}},
		{"system on arrays", []string{"--cmdline", seedLine, "--root", "~/array"}, 1, []string{
			"error: for / in root's etc/fstab, an md array: module md_mod: not in the module tree\nerror: for / in root's etc/fstab, an md array: module raid1: not in the module tree\n" +
				"error: for /usr in root's etc/fstab, an md array: of the modules raid0, raid1, raid10, raid456, linear one is needed, and there is none\n",
		}},
		{"system that may be on an array", []string{"--cmdline", seedLine, "--root", "~/perhaps"}, 0, []string{
			"warning: for / in root's etc/fstab, which may be on an md array of root's mdadm.conf: module md_mod: not in the module tree\n",
			"warning: for / in root's etc/fstab, which may be on an md array of root's mdadm.conf: module raid1: not in the module tree\n",
		}},
		{"overlay", []string{"--cmdline", seedLine + " rd.overlay"}, 0, []string{"warning: rd.overlay asks for a writable layer over root, which is not supported"}},
		{"key", []string{"~/out/secret.img", "--cmdline", seedLine}, 0, []string{"warning: /etc/iscsiroot/credentials has secrets, and none for target iqn.2007-01.com.example:storage.remote1"}},
	} {
		image := "~/out/initrd.img"
		if len(c.args) > 0 && strings.HasPrefix(c.args[0], "~") {
			image, c.args = c.args[0], c.args[1:]
		}
		status, out, errs := s.run(append([]string{"check", image}, c.args...)...)
		if status != c.status || (errs == "") != (status == 0) {
			t.Errorf("%s: status %d, %s%s", c.name, status, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, out)
			}
		}
	}
}

// An image without init and nodes, and one whose modules are flat, as the HOWTO's.
func TestCheckForeign(t *testing.T) {
	s := newStage(t)
	s.write("image", "070701"+strings.Repeat("0", 8*11)+"0000000b00000000TRAILER!!!\x00\x00\x00\x00")
	status, out, _ := s.run("check", "~/image", "--cmdline", seedLine)
	for _, want := range []string{"error: /init is not there", "error: /dev/console is not a device node", "error: there are no modules in /lib/modules"} {
		if status != 1 || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, out)
		}
	}
}

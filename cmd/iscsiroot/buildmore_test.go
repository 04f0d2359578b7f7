package main

import (
	"bytes"
	"debug/pe"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestBuildOptions tests the options one after the other.
func TestBuildOptions(t *testing.T) {
	mods := "tree/lib/modules/" + release
	for _, c := range []struct {
		name, args string
		prepare    func(s stage)
		want       string // names in the image
		errs       string
	}{
		{"PCI id", "--nic 1af4:1000", nil, mods[5:] + "/kernel/drivers/net/virtio_net.ko", ""},
		{"modaliases", "--modaliases ~/aliases", func(s stage) { s.write("aliases", "virtio:d00000001v00001AF4\n") }, mods[5:] + "/kernel/drivers/net/virtio_net.ko", ""},
		{"module tree", "--kernel ~/" + mods + " --kernel-version=", nil, mods[5:] + "/modules.dep", ""},
		{"firmware", "--nic e1000 --firmware ~/fw", func(s stage) {
			s.write(mods+"/kernel/drivers/net/ethernet/e1000.ko", module("e1000", "firmware=a.fw", "firmware=b.fw", "firmware=c.fw", "firmware=d.fw", "firmware=e.fw", "firmware=f.fw"))
			s.write("fw/b.fw", "b")
		}, "lib/firmware/b.fw", "iscsiroot: module e1000: firmware not found: a.fw, c.fw, d.fw, e.fw and 1 more\n"},
		{"overlay", "--overlay ~/over", func(s stage) { s.write("over/srv/x", "x") }, "srv/x", ""},
		{"default", "--default iscsi_a=10.1.1.180 --policy rd.shell=0", nil, "etc/iscsiroot/default etc/iscsiroot/policy", ""},
		{"credentials", "--credentials ~/secret", func(s stage) {
			s.write("secret", "iqn.2007-01.com.example:storage.remote1 user sesame-open-12\n")
			os.Chmod(s.path("secret"), 0o600)
		}, "etc/iscsiroot/credentials", "iscsiroot: ~/out/initrd.img holds a secret and has mode 0600: a TFTP or HTTP server that can read it sends it to any client\n"},
		{"microcode", "--microcode", func(s stage) { s.write("tree/lib/firmware/amd-ucode/x.bin", "x") }, "kernel/x86/microcode/AuthenticAMD.bin", ""},
		{"append", "--append ~/other", func(s stage) { s.write("other", "") }, "", "iscsiroot: read image ~/other: no initramfs: it is empty\n"},
	} {
		s := newStage(t)
		s.outDir("")
		if c.prepare != nil {
			c.prepare(s)
		}
		status, out, errs := s.build(strings.Fields(c.args)...)
		if errs != c.errs || status != 0 && c.want != "" {
			t.Errorf("%s: status %d, %s%s", c.name, status, out, errs)
			continue
		}
		if c.want == "" {
			continue
		}
		_, names, _ := s.run("ls", "~/out/initrd.img")
		for _, want := range strings.Fields(c.want) {
			if !strings.Contains("\n"+names, "\n"+want+"\n") {
				t.Errorf("%s: no %s in the image:\n%s", c.name, want, names)
			}
		}
	}
}

func TestBuildOptionErrors(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	for _, c := range []struct{ name, args, epoch, want string }{
		{"time", "", "yesterday", "SOURCE_DATE_EPOCH=yesterday in the environment: not a number of seconds since 1970 below 2^32"},
		{"no busybox", "--busybox", "", "find busybox: none of bin/busybox, usr/bin/busybox, sbin/busybox, usr/sbin/busybox is below ~/tree: install busybox-static, or name the file"},
		{"no microcode", "--microcode", "", "write ~/out/initrd.img: microcode: no amd-ucode and no intel-ucode in ~/tree/lib/firmware, ~/tree/usr/lib/firmware: file does not exist"},
		{"no kernel", "--kernel ~/none --kernel-version=", "", "kernel ~/none: no such file or directory"},
		{"uki", "--uki ~/stub", "", "--uki needs the kernel's image: add --kernel FILE"},
		{"cmdline", "--cmdline quiet", "", "--cmdline and --os-release are for --uki: add it, or use --default for parameters inside of the image"},
		{"no such card", "--nic ffff:0001", "", "modules in ~/tree/lib/modules/" + release + ": 1 devices: none of them is a network card that the kernel's modules drive: name the driver, or include all"},
		{"release", "--kernel-version 9.9", "", "modules of kernel 9.9: neither ~/tree/lib/modules/9.9 nor ~/tree/usr/lib/modules/9.9 is there: file does not exist: there is " + release + ": select one with --kernel-version, or another file system with --root"},
	} {
		s := newStage(t)
		s.outDir("")
		t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
		status, out, errs := s.build(strings.Fields(c.args)...)
		if status != 1 || out != "" || errs != "iscsiroot: "+c.want+"\n" {
			t.Errorf("%s: status %d, stdout %q, stderr\n%swant\niscsiroot: %s", c.name, status, out, errs, c.want)
		}
		if left, _ := os.ReadDir(s.path("out")); len(left) != 0 {
			t.Errorf("%s: left %v", c.name, left)
		}
	}
}

// A damaged tree is an error, and makes no image.
func TestBuildDamagedTree(t *testing.T) {
	mods := "tree/lib/modules/" + release
	for name, c := range map[string]struct {
		file, text, want string
	}{
		"truncated module":            {mods + "/kernel/ext4.ko", module("ext4")[:200], "read module ~/" + mods + "/kernel/ext4.ko: damaged: not a kernel module: it ends before offset 288"},
		"empty module":                {mods + "/kernel/ext4.ko", "", "read module ~/" + mods + "/kernel/ext4.ko: damaged: not a kernel module: it ends before offset 52"},
		"modules.dep with a circle":   {mods + "/modules.dep", "kernel/sd_mod.ko: kernel/ext4.ko\nkernel/iscsi_tcp.ko:\nkernel/ext4.ko: kernel/sd_mod.ko\n", "modules in ~/" + mods + ": modules.dep: line 1: module sd_mod depends on itself"},
		"modules.dep with garbage":    {mods + "/modules.dep", "\x00\xff\x7fELF\n", "modules in ~/" + mods + ": read modules.dep: line 1: no colon after the path of a module"},
		"modules.dep that is cut off": {mods + "/modules.dep", "kernel/sd_mod.ko:\nkernel/iscsi_t", "modules in ~/" + mods + ": read modules.dep: line 2: no colon after the path of a module"},
	} {
		s := newStage(t)
		s.outDir("old")
		s.write(c.file, c.text)
		status, _, errs := s.build()
		if status != 1 || errs != "iscsiroot: "+c.want+"\n" {
			t.Errorf("%s: status %d, %s", name, status, errs)
		}
		if data, err := os.ReadFile(s.path("out/initrd.img")); err != nil || string(data) != "old" {
			t.Errorf("%s: the old image is %q, %v", name, data, err)
		}
	}
}

// The same input at another time makes the same bytes, and SOURCE_DATE_EPOCH is in them.
func TestSourceDateEpoch(t *testing.T) {
	var images [2][]byte
	for i, epoch := range []string{"1700000000", "1700000000"} {
		t.Setenv("SOURCE_DATE_EPOCH", epoch)
		s := newStage(t)
		s.outDir("")
		if status, _, errs := s.build(); status != 0 {
			t.Fatal(errs)
		}
		images[i], _ = os.ReadFile(s.path("out/initrd.img"))
		if _, out, _ := s.run("ls", "-l", "~/out/initrd.img", "init"); !strings.Contains(out, " 2023-11-14 22:13 init\n") {
			t.Errorf("listed %s", out)
		}
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("the two images differ")
	}
}

// TestUKIStory parses what --uki made of a real kernel with another reader.
func TestUKIStory(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	exe := testPE()
	s.write("stub.efi", exe)
	s.write("vmlinuz", "kernel")
	status, out, errs := s.build("--uki", "~/stub.efi", "--kernel", "~/vmlinuz", "--cmdline", "quiet iscsi_a=10.1.1.180")
	if status != 0 || !strings.Contains(out, " bytes of EFI program (") {
		t.Fatalf("status %d, %s%s", status, out, errs)
	}
	f, err := pe.Open(s.path("out/initrd.img"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := f.Section(".cmdline").Data()
	if err != nil || !strings.HasPrefix(string(data), "quiet iscsi_a=10.1.1.180\x00") {
		t.Errorf("%q, %v", data, err)
	}
}

// testPE is the least of an EFI program of 64 bits, without a section.
func testPE() string {
	b := make([]byte, 0x400)
	copy(b, "MZ")
	b[0x3c] = 0x40
	copy(b[0x40:], "PE\x00\x00\x64\x86")
	b[0x54] = 240 // SizeOfOptionalHeader
	opt := b[0x58:]
	opt[0], opt[1] = 0x0b, 0x02
	opt[33], opt[37], opt[61], opt[108] = 0x10, 0x02, 0x04, 16 // alignments 0x1000 and 0x200, SizeOfHeaders, NumberOfRvaAndSizes
	return string(b)
}

// The image for this machine has the system id that LVM has here, unless one is given.
func TestSystemIDOfHost(t *testing.T) {
	root := fstest.MapFS{"etc/lvm/lvm.conf": {Data: []byte(`global { system_id_source = "uname" }`)}}
	for _, tt := range []struct {
		params string
		root   fstest.MapFS
		want   string
	}{
		{"", nil, ""},
		{"rw", nil, "rw"},
		{"", root, "rd.lvm.system_id=node"},
		{"rw", root, "rw rd.lvm.system_id=node"},
		{"rd.lvm.system_id=other", root, "rd.lvm.system_id=other"},
	} {
		if got, err := withSystemID(tt.params, tt.root, "node"); got != tt.want || err != nil {
			t.Errorf("%q: %q, %v", tt.params, got, err)
		}
	}
	bad := fstest.MapFS{"etc/lvm/lvm.conf": {Data: []byte("global {")}}
	if _, err := withSystemID("", bad, "node"); err == nil || !strings.HasSuffix(err.Error(), ": add --default rd.lvm.system_id=ID") {
		t.Error(err)
	}
}

package initramfs_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
	"github.com/iscsiroot/iscsiroot/pkg/kmod/kmodtest"
)

// checkLine is a command line with which nothing is missing.
const checkLine = "iscsi_i=iqn.2007-01.com.example:a iscsi_i_ip=10.1.1.165/24 iscsi_t=iqn.2007-01.com.example:b iscsi_a=10.1.1.180"

// findings is what check finds when an image with more entries behind it boots: the fatal ones
// behind an exclamation mark.
func findings(t *testing.T, image []byte, m initramfs.Machine, more ...cpio.Record) []string {
	t.Helper()
	var records []cpio.Record
	for _, r := range more {
		if dir := path.Dir(r.Name); dir == "etc/iscsiroot" || dir == "lib/firmware/rtl_nic" {
			records = append(records, cpio.Directory(path.Dir(dir), 0o755), cpio.Directory(dir, 0o755))
		}
		records = append(records, r)
	}
	if len(records) > 0 {
		image = append(slices.Clone(image), newctest.Archive(t, records...)...)
	}
	all, err := initramfs.Check(newctest.Tree(t, image), m)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range all {
		text := f.Text
		if f.Fatal {
			text = "!" + text
		}
		out = append(out, text)
	}
	return out
}

// smallImage is an image for one network card, without that card's firmware.
func smallImage(t *testing.T, change func(*initramfs.Config)) []byte {
	t.Helper()
	cfg := config(t)
	cfg.NICs, cfg.FileSystems = []string{"r8169"}, []string{"ext4"}
	if change != nil {
		change(&cfg)
	}
	image, _ := build(t, cfg)
	return image
}

// What the kernel needs before init runs.
func TestCheckPrograms(t *testing.T) {
	image := smallImage(t, nil)
	const noInit = "!/init is not there or cannot be run: the kernel would panic"
	for _, c := range []struct {
		name string
		more []cpio.Record
		want []string
	}{
		{"all there", nil, nil},
		{"init for its owner alone", []cpio.Record{cpio.StaticFile("init", "init", 0o100)}, nil},
		{"init that cannot be run", []cpio.Record{cpio.StaticFile("init", "init", 0o644)}, []string{noInit}},
		{"init is a directory", []cpio.Record{cpio.Directory("init", 0o755)}, []string{noInit}},
		{"init is a link to it", []cpio.Record{cpio.StaticFile("bin/init", "init", 0o755), symlink("init", "bin/init")}, nil},
		{"init is a link to nothing", []cpio.Record{symlink("init", "bin/init")}, []string{noInit}},
		{"a file for /dev/null", []cpio.Record{cpio.StaticFile("dev/null", "", 0o666)}, []string{"!/dev/null is not a device node: init cannot start without it"}},
		{"a file for /dev/console", []cpio.Record{cpio.StaticFile("dev/console", "", 0o600)}, []string{"!/dev/console is not a device node: init cannot start without it"}},
	} {
		if diff := cmp.Diff(c.want, findings(t, image, initramfs.Machine{CommandLine: checkLine}, c.more...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// What init would refuse of the parameters, or warn of, wherever they come from: the command line,
// the files of the image, its policy, its credentials.
func TestCheckParameters(t *testing.T) {
	image := smallImage(t, nil)
	const target, place = "iqn.2007-01.com.example:b", "etc/iscsiroot/credentials"
	secret := func(target string) cpio.Record {
		return cpio.StaticFile(place, target+" user sesame-open-12\n", 0o600)
	}
	for _, c := range []struct {
		name, line string
		more       []cpio.Record
		want       []string // each is the beginning of one
	}{
		{"all there", checkLine, nil, nil},
		{"too long for the kernel", checkLine + " " + strings.Repeat("x", 2048), nil, []string{"!command line has "}},
		{"two parameters that cannot be read", checkLine + " iscsi_p=x iscsi_lun=y", nil, []string{"!parameter iscsi_p=x", "!parameter iscsi_lun=y"}},
		{"one in the image's default", checkLine, []cpio.Record{cpio.StaticFile("etc/iscsiroot/default", "iscsi_p=x\n", 0o644)}, []string{"!parameter iscsi_p=x"}},
		{"one in the image's policy", checkLine, []cpio.Record{cpio.StaticFile("etc/iscsiroot/policy", "iscsi_p=x\n", 0o644)}, []string{"!parameter iscsi_p=x"}},
		{"a file that is too long", checkLine, []cpio.Record{cpio.StaticFile("etc/cmdline", strings.Repeat("x", 65<<10), 0o644)}, []string{"/etc/cmdline"}},
		{"a parameter that is ignored", checkLine + " ip=", nil, []string{"ip= has no value and is ignored"}},
		{"nothing names the target", "iscsi_i=iqn.2007-01.com.example:a iscsi_i_ip=10.1.1.165/24", nil, []string{"!the target name is not given", "!the target's address is not given"}},
		{"a secret for the target", checkLine, []cpio.Record{secret(target)}, nil},
		{"a secret for it, which the line has with capitals", strings.Replace(checkLine, target, "iqn.2007-01.com.Example:B", 1), []cpio.Record{secret(target)}, nil},
		{"a secret for another", checkLine, []cpio.Record{secret(target + "2")}, []string{"/etc/iscsiroot/credentials has secrets, and none for target " + target + ": the login goes without CHAP"}},
		{"a secret that the line has", checkLine + " iscsi_u=user iscsi_w=sesame-open-12", []cpio.Record{secret(target + "2")}, []string{"all users of this machine can read the secret in iscsi_w="}},
		{"credentials that cannot be read", checkLine, []cpio.Record{cpio.StaticFile(place, target+"\n", 0o600)}, []string{"!/etc/iscsiroot/credentials"}},
		{"credentials without end", checkLine, []cpio.Record{cpio.StaticFile(place, strings.Repeat("#\n", 1<<20), 0o600)}, []string{"!/etc/iscsiroot/credentials"}},
	} {
		got := findings(t, image, initramfs.Machine{CommandLine: c.line}, c.more...)
		ok := len(got) == len(c.want)
		for i := range got {
			ok = ok && strings.HasPrefix(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// The modules of iSCSI, of root, of the network's devices and of the machine's cards, each with
// what it depends on, and the firmware of the cards.
func TestCheckModules(t *testing.T) {
	const mods = "lib/modules/" + release
	r8169 := mods + "/kernel/drivers/net/ethernet/realtek/r8169.ko"
	firmware := func(name string) string {
		return "module r8169: firmware rtl_nic/" + name + " is not in the image: some cards need it"
	}
	image := smallImage(t, nil)
	for _, c := range []struct {
		name  string
		m     initramfs.Machine
		line  string
		image []byte // nil: the small one
		more  []cpio.Record
		want  []string
	}{
		{name: "all there"},
		{name: "the card", m: initramfs.Machine{Devices: []string{"10ec:8169"}}, want: []string{firmware("one.fw"), firmware("two.fw"), firmware("*.pattern")}},
		{
			name: "the card with its firmware", m: initramfs.Machine{Devices: []string{"10ec:8169"}},
			more: []cpio.Record{
				cpio.StaticFile("lib/firmware/rtl_nic/one.fw", "x", 0o644), cpio.StaticFile("lib/firmware/rtl_nic/two.fw.zst", "x", 0o644),
				cpio.StaticFile("lib/firmware/rtl_nic/a.pattern", "x", 0o644),
			},
		},
		{
			name: "another card", m: initramfs.Machine{Devices: []string{"8086:100e"}},
			want: []string{"!network card: 1 devices: none of them is a network card that the kernel's modules drive: name the driver, or include all"},
		},
		{name: "no card's driver", image: withoutModules(t, image, "/net/"), want: []string{"there is no driver of a network card: only one that the kernel has built in will do"}},
		{name: "no file system", image: withoutModules(t, image, "ext4"), want: []string{"!there is no driver of a root file system: build with --fs"}},
		{name: "the file system by its alias", line: " rootfstype=ext3"},
		{name: "another file system", line: " rootfstype=ext4,xfs", want: []string{"!for rootfstype=xfs: module xfs: not in the module tree"}},
		{name: "a VLAN", line: " vlan=vlan5:eth0", want: []string{"!for vlan=, bond= or bridge=: module 8021q: not in the module tree"}},
		{name: "another kernel", m: initramfs.Machine{Release: "9.9"}, want: []string{"!there are no modules for kernel 9.9"}},
		{name: "this kernel", m: initramfs.Machine{Release: release}},
		{
			name: "several kernels", more: []cpio.Record{cpio.Directory("lib/modules/9.9", 0o755)},
			want: []string{"modules of several kernels: " + release + ", 9.9: looked at those of the first"},
		},
		{name: "a file beside the kernels", more: []cpio.Record{cpio.StaticFile("lib/modules/9.9", "", 0o644)}},
		{
			name: "a module that only the index has",
			more: []cpio.Record{cpio.StaticFile(mods+"/modules.dep", moduleDep(t, image)+"kernel/fs/xfs/xfs.ko:\n", 0o644)}, line: " rootfstype=xfs",
			want: []string{"!for rootfstype=xfs: module xfs: the file kernel/fs/xfs/xfs.ko is not in the image"},
		},
		{
			name: "what a module needs is only in the index",
			more: []cpio.Record{cpio.StaticFile(mods+"/modules.dep", strings.ReplaceAll(moduleDep(t, image), "libiscsi.ko", "gone.ko"), 0o644)},
			want: []string{"!for iSCSI disks: module gone: the file kernel/drivers/scsi/gone.ko is not in the image"},
		},
		{
			name: "a driver that is broken", m: initramfs.Machine{Devices: []string{"10ec:8169"}},
			more: []cpio.Record{cpio.StaticFile(r8169, "not ELF", 0o644)},
			want: []string{"!module r8169: "},
		},
		{
			name: "a driver without firmware", m: initramfs.Machine{Devices: []string{"10ec:8169"}},
			more: []cpio.Record{cpio.StaticFile(r8169, string(kmodtest.Module("name=r8169")), 0o644)},
		},
	} {
		c.m.CommandLine = checkLine + c.line
		if c.image == nil {
			c.image = image
		}
		got := findings(t, c.image, c.m, c.more...)
		if c.name == "a driver that is broken" && len(got) == 1 {
			got[0] = got[0][:min(len(got[0]), len(c.want[0]))] // debug/elf's words follow
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// moduleDep is the modules.dep of an image.
func moduleDep(t *testing.T, image []byte) string {
	t.Helper()
	return content(t, newctest.Tree(t, image), "lib/modules/"+release+"/modules.dep")
}

// withoutModules is an image without the modules whose path contains a text, and their lines in the
// index.
func withoutModules(t *testing.T, image []byte, part string) []byte {
	t.Helper()
	recs, names := unpackImage(t, image)
	var out []cpio.Record
	for _, name := range names {
		switch r := recs[name]; {
		case strings.HasSuffix(name, ".ko") && strings.Contains(name, part):
		case strings.HasPrefix(path.Base(name), "modules."):
			lines := slices.DeleteFunc(strings.SplitAfter(text(t, r), "\n"), func(l string) bool { return strings.Contains(l, part) })
			out = append(out, cpio.StaticFile(name, strings.Join(lines, ""), 0o644))
		default:
			out = append(out, r)
		}
	}
	return newctest.Archive(t, out...)
}

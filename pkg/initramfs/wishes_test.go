package initramfs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

func symlink(name, to string) cpio.Record { return cpio.Symlink(name, to) }

// refused builds an image that cannot be made and compares the error.
func refused(t *testing.T, cfg initramfs.Config, want string) {
	t.Helper()
	_, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestDevices(t *testing.T) {
	for _, c := range []struct {
		devices, want string
	}{
		{"10ec:8169", "crc32c_generic r8169 libphy realtek iscsi_tcp libiscsi scsi_mod sd_mod ext4"},
		// Of a card of virtio its bus announces itself.
		{"1af4:1000", "crc32c_generic virtio_net iscsi_tcp libiscsi scsi_mod sd_mod virtio_pci ext4"},
		{"pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00 acpi:PNP0103:", "crc32c_generic virtio_net iscsi_tcp libiscsi scsi_mod sd_mod virtio_pci ext4"},
		{"usb:v0B95p1790d0100dcFFdscFFdp00icFFiscFFip00in00", "crc32c_generic ax88179_178a iscsi_tcp libiscsi scsi_mod sd_mod xhci-pci ext4"},
	} {
		cfg := config(t)
		cfg.Devices, cfg.FileSystems = strings.Fields(c.devices), []string{"ext4"}
		_, names := write(t, cfg)
		if diff := cmp.Diff(strings.Fields(c.want), strings.Fields(modules(names))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.devices, diff)
		}
	}
	cfg := config(t)
	cfg.Devices = []string{"virtio:d00000002v00001AF4", "8086:100e"}
	refused(t, cfg, "modules in "+dirOf(&cfg)+": 2 devices: none of them is a network card that the kernel's modules drive: name the driver, or include all")
}

func TestReadDevices(t *testing.T) {
	name := filepath.Join(t.TempDir(), "modaliases")
	writeFile(t, name, []byte("# a machine\npci:v1\n\n 8086:100e \npci:v1\n"))
	got, err := initramfs.ReadDevices(name)
	if diff := cmp.Diff([]string{"8086:100e", "pci:v1"}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	writeFile(t, name, []byte("pci:v1\ne1000\n"))
	if _, err := initramfs.ReadDevices(name); err == nil || err.Error() != "read devices from "+name+": line 2: neither a modalias nor VVVV:DDDD" {
		t.Errorf("got %v", err)
	}
	if _, err := initramfs.ReadDevices(name + ".none"); err == nil {
		t.Error("no error")
	}
}

func TestHostDevices(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{"pci/devices/0": "pci:b\n", "pci/devices/1": "pci:a\n", "virtio/devices/0": "virtio:c\n", "usb/devices/0": "\n"} {
		writeFile(t, filepath.Join(sys, "bus", name, "modalias"), []byte(text))
	}
	got, err := initramfs.HostDevices(sys)
	if diff := cmp.Diff([]string{"pci:a", "pci:b", "virtio:c"}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, err := initramfs.HostDevices(t.TempDir()); err == nil {
		t.Error("no error without devices")
	}
}

// Firmware is found in the kernel's directories, first in the user's, and unpacked; what is missing
// is listed.
func TestFirmware(t *testing.T) {
	cfg := config(t)
	more := t.TempDir()
	cfg.FirmwareDirs = []string{more}
	for name, text := range map[string]string{
		more + "/rtl_nic/one.fw":                                          "one",
		cfg.Root + "/lib/firmware/rtl_nic/one.fw":                         "other",
		cfg.Root + "/usr/lib/firmware/" + release + "/rtl_nic/two.fw.zst": string(pack(t, ".zst", []byte("two"))),
		cfg.Root + "/lib/firmware/rtl_nic/a.pattern":                      "a",
		cfg.Root + "/lib/firmware/rtl_nic/b.pattern":                      "b",
	} {
		writeFile(t, name, []byte(text))
	}
	image, sum := build(t, cfg)
	got := newctest.Tree(t, image)
	for name, want := range map[string]string{"one.fw": "one", "two.fw": "two", "a.pattern": "a", "b.pattern": "b"} {
		if text := content(t, got, "lib/firmware/rtl_nic/"+name); text != want {
			t.Errorf("%s holds %q", name, text)
		}
	}
	want := []initramfs.MissingFirmware{{Module: "ax88179_178a", Files: []string{"none.bin"}}}
	if diff := cmp.Diff(want, sum.MissingFirmware); diff != "" || sum.Firmware != 4 {
		t.Errorf("%d files; missing, -want +got:\n%s", sum.Firmware, diff)
	}
	writeFile(t, cfg.Root+"/usr/lib/firmware/"+release+"/rtl_nic/two.fw.zst", []byte("no zstd"))
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), "two.fw.zst: ") {
		t.Errorf("damaged: %v", err)
	}
}

func TestOverlay(t *testing.T) {
	cfg := config(t)
	over := t.TempDir()
	writeFile(t, over+"/etc/motd", []byte("hello"))
	writeFile(t, over+"/usr/bin/tool", []byte("#!"))
	if err := os.Chmod(over+"/usr/bin/tool", 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../usr/bin/tool", over+"/etc/link"); err != nil {
		t.Fatal(err)
	}
	cfg.Overlays = []string{over}
	image, _ := build(t, cfg)
	got := newctest.Tree(t, image)
	if n, err := got.Follow("etc/link"); err != nil || string(n.Data()) != "#!" || n.Mode != 0o100750 || n.UID != 0 {
		t.Errorf("etc/link: %v, %v", n, err)
	}
	if content(t, got, "etc/motd") != "hello" {
		t.Error("etc/motd")
	}
	writeFile(t, over+"/init", nil)
	refused(t, cfg, "add overlay "+over+": add /init: init cannot be replaced by a file; choose another init program instead")
	os.Remove(over + "/init")
	cfg.Overlays = []string{over + "/etc/motd"}
	refused(t, cfg, "add overlay "+over+"/etc/motd: not a directory")
	cfg.Overlays = []string{over + "/none"}
	refused(t, cfg, "add overlay "+over+"/none: no such file or directory")
}

// The busybox of Debian lists its applets.
func TestBusybox(t *testing.T) {
	cache, err := deps.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	if cfg.Busybox, err = initramfs.FindBusybox(filepath.Join(cache, "busybox")); err != nil {
		t.Fatal(err) // scripts/deps.sh brings it
	}
	list, err := exec.Command(cfg.Busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	image, _ := build(t, cfg)
	got := newctest.Tree(t, image)
	for applet := range strings.FieldsSeq(string(list)) {
		if slices.Contains([]string{"busybox", "init", "linuxrc", "modprobe", "insmod", "rmmod", "depmod"}, applet) {
			continue
		}
		if n, ok := got.Lookup("bin/" + applet); !ok || string(n.Data()) != "busybox" {
			t.Errorf("%s: %v", applet, n)
		}
	}
	for _, applet := range []string{"init", "modprobe", "depmod"} {
		if _, ok := got.Lookup("bin/" + applet); ok {
			t.Errorf("%s hides a command of iscsiroot", applet)
		}
	}
	if n, _ := got.Lookup("bin/busybox"); n.Mode != 0o100755 {
		t.Errorf("busybox: %#o", n.Mode)
	}
	cfg.Busybox = "/proc/self/exe"
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), "add busybox /proc/self/exe: it ") {
		t.Errorf("this test as busybox: %v", err)
	}
	cfg.Busybox = dirOf(&cfg) + "/modules.dep"
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), "no program") {
		t.Errorf("text as busybox: %v", err)
	}
}

// Parameters and secrets become files; a secret makes the image private.
func TestParams(t *testing.T) {
	cfg := config(t)
	cfg.Policy, cfg.Default = "rd.shell=0", "iscsi_a=10.1.1.180 rd.timeout=5"
	out := filepath.Join(t.TempDir(), "initrd.img")
	sum, err := initramfs.Build(t.Context(), cfg, out)
	if err != nil || sum.Secret || len(sum.Warnings) != 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := newctest.Tree(t, written)
	if content(t, got, "etc/iscsiroot/policy") != "rd.shell=0\n" || content(t, got, "etc/iscsiroot/default") != cfg.Default+"\n" {
		t.Error("the files hold something else")
	}
	cfg.Credentials = filepath.Join(t.TempDir(), "credentials")
	writeFile(t, cfg.Credentials, []byte("iqn.2007-01.com.example:storage.remote1 user sesame-open-12\n"))
	refused(t, cfg, "read secrets from "+cfg.Credentials+": all users of this machine can read it: chmod 600 "+cfg.Credentials)
	if err := os.Chmod(cfg.Credentials, 0o600); err != nil {
		t.Fatal(err)
	}
	if sum, err = initramfs.Build(t.Context(), cfg, out); err != nil || !sum.Secret {
		t.Fatalf("%+v, %v", sum, err)
	}
	if st, err := os.Stat(out); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	writeFile(t, cfg.Credentials, []byte("iqn.2007-01.com.example:storage.remote1 sesame\n"))
	_, err = initramfs.Build(t.Context(), cfg, out)
	if err == nil || strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), "line 1: 2 fields") {
		t.Errorf("got %v", err)
	}
	cfg.Credentials, cfg.Policy = "", "iscsi_a=nonsense/x"
	if _, err = initramfs.Build(t.Context(), cfg, out); err == nil || !strings.HasPrefix(err.Error(), "policy: parameter iscsi_a=") {
		t.Errorf("got %v", err)
	}
	cfg.Policy = "rd.shell=0 " + strings.Repeat("x ", 32<<10)
	if _, err = initramfs.Build(t.Context(), cfg, out); err == nil || err.Error() != "policy: it has more than 65536 bytes" {
		t.Errorf("a policy that init would ignore: %v", err)
	}
	cfg.Policy = "# iscsi_a=nonsense/x\nrd.shell=0"
	if _, err = initramfs.Build(t.Context(), cfg, out); err != nil {
		t.Errorf("a comment: %v", err)
	}
	cfg.Policy, cfg.Default = "", "iscsi_w=sesame-open-12"
	if sum, err = initramfs.Build(t.Context(), cfg, out); err != nil || !sum.Secret {
		t.Errorf("%+v, %v", sum, err)
	}
}

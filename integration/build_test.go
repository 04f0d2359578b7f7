package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// buildImage builds an image for one test.
func (r *rig) buildImage(change func(*initramfs.Config)) (image, initramfs.Summary) {
	r.t.Helper()
	k, err := deps.FindKernel("amd64")
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := initramfs.Config{
		Root: k.ModulesRoot, KernelVersion: k.Release, PackedInit: built.packed(), NICs: []string{"virtio_net"}, FileSystems: []string{"ext4"},
	}
	change(&cfg)
	out := filepath.Join(r.t.TempDir(), "initrd.img")
	sum, err := initramfs.Build(context.Background(), cfg, out)
	if err != nil {
		r.t.Fatal(err)
	}
	return image{path: out}, sum
}

// writeFile writes a file below a new directory, which it returns.
func (r *rig) writeFile(name string, data []byte) (dir string) {
	r.t.Helper()
	dir = r.t.TempDir()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// An Intel 82551 has no link without its microcode (drivers/net/ethernet/intel/e100.c:
// e100_request_firmware). QEMU's accepts any: 134 words and three numbers below 134.
func TestFirmwareFromTheImage(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext3", MiB: 32, Tree: root("")})
	r.gotgt()
	img, sum := r.buildImage(func(c *initramfs.Config) {
		c.Devices, c.NICs = []string{"8086:1209"}, nil
		c.FirmwareDirs = []string{r.writeFile("e100/d102e_ucode.bin", make([]byte, 134*4+3))}
		c.Compression = initramfs.XZ
	})
	if sum.Firmware != 1 || len(sum.MissingFirmware) != 1 || sum.MissingFirmware[0].Module != "e100" {
		t.Errorf("firmware: %d, missing %+v", sum.Firmware, sum.MissingFirmware)
	}
	m := r.boot(img, "i82551", "console=ttyS0 "+seedLine)
	r.expect(m, "guest: mount: /dev/sda2 / ext3 ro,")
	r.waitOff(m)
}

// Appended to another initramfs, with microcode in front, iscsiroot's /init is used; the other
// files stay in place.
func TestAppendToAnotherImage(t *testing.T) {
	r := newRig(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: 32, Tree: root("")})
	r.gotgt()
	other := filepath.Join(t.TempDir(), "other.img")
	if err := images.WriteInitrd(other, images.Tree{
		"usr/bin": images.Dir(), "usr/lib/systemd": images.Dir(), "usr/sbin": images.Dir(), "dev": images.Dir(), "etc": images.Dir(),
		"usr/lib/systemd/systemd": images.Script("#!/bin/sh\n"), "init": images.Symlink("usr/lib/systemd/systemd"),
		"bin": images.Symlink("usr/bin"), "lib": images.Symlink("usr/lib"), "sbin": images.Symlink("usr/sbin"),
	}); err != nil {
		t.Fatal(err)
	}
	img, _ := r.buildImage(func(c *initramfs.Config) {
		c.Append = other
		c.Microcode = []string{r.writeFile("amd-ucode/microcode_amd.bin", []byte("no processor's"))}
		c.Default = strings.Replace(seedLine, "iscsi_a=10.77.0.1", "", 1)
	})
	tree, err := initramfs.Open(img.path, archive.DefaultLimits)
	if err != nil || len(tree.Segments) != 4 {
		t.Fatalf("%+v, %v", tree, err)
	}
	m := r.boot(img, "", "console=ttyS0 "+seedLine)
	r.expect(m, "guest: mount: /dev/sda2 / ext4 ro,")
	r.waitOff(m)
}

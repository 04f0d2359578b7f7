package initramfs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// config is the least that an image of the test tree needs.
func config(t *testing.T) initramfs.Config {
	return initramfs.Config{Root: newTree(t), KernelVersion: release, Init: []byte("init"), Compression: initramfs.None}
}

// write returns an image's records and names.
func write(t *testing.T, cfg initramfs.Config) (map[string]cpio.Record, []string) {
	t.Helper()
	var b bytes.Buffer
	if _, err := initramfs.Write(t.Context(), &b, cfg); err != nil {
		t.Fatal(err)
	}
	return unpackImage(t, b.Bytes())
}

// modules returns the names of the modules among an image's names.
func modules(names []string) string {
	var out []string
	for _, n := range names {
		if strings.HasSuffix(n, ".ko") {
			out = append(out, strings.TrimSuffix(path.Base(n), ".ko"))
		}
	}
	return strings.Join(out, " ")
}

func TestSelection(t *testing.T) {
	for _, c := range []struct {
		name              string
		nics, fs, drivers []string
		want              string
	}{
		{
			"everything", nil, nil, nil,
			"crc32c_generic r8169 libphy realtek ax88179_178a virtio_net iscsi_tcp libiscsi scsi_mod sd_mod xhci-pci virtio_pci ext4",
		},
		{"virtio", []string{"virtio-net"}, []string{"ext2"}, nil, "crc32c_generic virtio_net iscsi_tcp libiscsi scsi_mod sd_mod virtio_pci ext4"},
		{"a card with a PHY", []string{"r8169"}, nil, nil, "crc32c_generic r8169 libphy realtek iscsi_tcp libiscsi scsi_mod sd_mod ext4"},
		{"USB", []string{"ax88179_178a"}, nil, nil, "crc32c_generic ax88179_178a iscsi_tcp libiscsi scsi_mod sd_mod xhci-pci ext4"},
		{
			"more drivers",
			[]string{"virtio_net"},
			nil,
			[]string{"xfs", "virtio:d00000002v1", "md5"},
			"crc32c_generic virtio_blk virtio_net iscsi_tcp libiscsi scsi_mod sd_mod virtio_pci ext4 xfs",
		},
	} {
		cfg := config(t)
		cfg.NICs, cfg.FileSystems, cfg.Drivers = c.nics, c.fs, c.drivers
		_, names := write(t, cfg)
		if diff := cmp.Diff(strings.Fields(c.want), strings.Fields(modules(names))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestListing(t *testing.T) {
	cfg := config(t)
	cfg.NICs = []string{"virtio_net"}
	recs, names := write(t, cfg)
	for name, mode := range map[string]uint64{
		"init": cpio.S_IFREG | 0o755, "sbin": cpio.S_IFDIR | 0o755,
		"dev": cpio.S_IFDIR | 0o755, "proc": cpio.S_IFDIR | 0o755, "sys": cpio.S_IFDIR | 0o755, "run": cpio.S_IFDIR | 0o755,
		"sysroot": cpio.S_IFDIR | 0o755, "etc": cpio.S_IFDIR | 0o755, "root": cpio.S_IFDIR | 0o700, "tmp": cpio.S_IFDIR | 0o1777,
		"dev/console": cpio.S_IFCHR | 0o600, "dev/null": cpio.S_IFCHR | 0o666,
		"lib/modules/" + release + "/kernel/drivers/net/virtio_net.ko": cpio.S_IFREG | 0o644,
	} {
		if r, ok := recs[name]; !ok || r.Mode != mode {
			t.Errorf("%s: mode %#o, want %#o (present: %v)", name, r.Mode, mode, ok)
		}
	}
	if c, n := recs["dev/console"], recs["dev/null"]; c.Rmajor != 5 || c.Rminor != 1 || n.Rmajor != 1 || n.Rminor != 3 {
		t.Errorf("nodes: console %d:%d, null %d:%d", c.Rmajor, c.Rminor, n.Rmajor, n.Rminor)
	}
	if r, ok := recs["sbin/modprobe"]; ok {
		t.Errorf("the image holds %v, which the kernel runs before init", r.Info)
	}
	for i, name := range names {
		r := recs[name]
		if r.MTime != 0 || r.UID != 0 || r.GID != 0 || r.Major != 0 || r.Minor != 0 || r.Ino != uint64(i)+1 {
			t.Errorf("%s carries something of the host: %v", name, r.Info)
		}
		if dir := path.Dir(name); dir != "." && recs[dir].Mode&cpio.S_IFMT != cpio.S_IFDIR {
			t.Errorf("%s has no parent", name)
		}
	}
}

func TestModulesAreUnpackedAndIndexed(t *testing.T) {
	recs, _ := write(t, config(t))
	base := "lib/modules/" + release + "/"
	for _, m := range []string{"kernel/drivers/scsi/iscsi_tcp.ko", "kernel/drivers/scsi/libiscsi.ko", "kernel/drivers/scsi/sd_mod.ko"} {
		if got := text(t, recs[base+m]); got != string(moduleBytes(m)) {
			t.Errorf("%s holds %q", m, got)
		}
	}
	fsys := recordFS{t, recs, base}
	idx, err := kmod.Read(fsys)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := idx.Plan("iscsi-tcp", "fs-ext2", "crypto-md5")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range plan {
		if _, ok := recs[base+m.Path]; !ok {
			t.Errorf("the index names %s, which is not there", m.Path)
		}
	}
	if len(plan) != 5 || idx.Match("virtio:d00000002v1") != nil {
		t.Errorf("plan %v", plan)
	}
}

// recordFS opens the files of an image below base.
type recordFS struct {
	t    *testing.T
	recs map[string]cpio.Record
	base string
}

func (f recordFS) Open(name string) (fs.File, error) {
	r, ok := f.recs[f.base+name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	dir := f.t.TempDir()
	writeFile(f.t, filepath.Join(dir, name), []byte(text(f.t, r)))
	return os.Open(filepath.Join(dir, name))
}

func TestFiles(t *testing.T) {
	cfg := config(t)
	script := filepath.Join(t.TempDir(), "hook")
	writeFile(t, script, []byte("#!"))
	if err := os.Chmod(script, 0o750); err != nil {
		t.Fatal(err)
	}
	cfg.Files = []initramfs.File{
		{Path: "/etc/a/b/hook", Source: script},
		{Path: "etc/bytes", Data: []byte("bytes"), Mode: 0o600},
		{Path: "/bin/sh", Data: []byte("/init"), Mode: fs.ModeSymlink | 0o777},
		{Path: "/bin/su", Data: []byte("x"), Mode: fs.ModeSetuid | 0o755},
	}
	recs, _ := write(t, cfg)
	for name, want := range map[string]struct {
		mode uint64
		text string
	}{
		"etc/a/b/hook": {cpio.S_IFREG | 0o750, "#!"},
		"etc/bytes":    {cpio.S_IFREG | 0o600, "bytes"},
		"bin/sh":       {cpio.S_IFLNK | 0o777, "/init"},
		"bin/su":       {cpio.S_IFREG | 0o4755, "x"},
	} {
		if r := recs[name]; r.Mode != want.mode || text(t, r) != want.text {
			t.Errorf("%s: mode %#o, %q", name, r.Mode, text(t, r))
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*initramfs.Config)
		want   string
	}{
		{"no init", func(c *initramfs.Config) { c.Init = nil }, "no init program given"},
		{"init gone", func(c *initramfs.Config) { c.Init, c.InitPath = nil, "/nonexistent/init" }, "init program: add file /nonexistent/init: no such file or directory"},
		{"no release", func(c *initramfs.Config) { c.KernelVersion = "9.9" }, "modules of kernel 9.9: neither ROOT/lib/modules/9.9 nor ROOT/usr/lib/modules/9.9 is there: file does not exist: there is " + release + ": select one with --kernel-version, or another file system with --root"},
		{"unknown NIC", func(c *initramfs.Config) { c.NICs = []string{"e9"} }, "modules in DIR: network driver: module e9: not in the module tree"},
		{"unknown file system", func(c *initramfs.Config) { c.FileSystems = []string{"ntfs"} }, "modules in DIR: file system ntfs: not supported; use one of ext2, ext3, ext4, xfs, btrfs, f2fs, erofs, squashfs, iso9660"},
		{"unknown driver", func(c *initramfs.Config) { c.Drivers = []string{"d9"} }, "modules in DIR: module d9: not in the module tree"},
		{"module file gone", func(c *initramfs.Config) { os.Remove(dirOf(c) + "/kernel/drivers/scsi/sd_mod.ko") }, "modules in DIR: module sd_mod: modules.dep lists kernel/drivers/scsi/sd_mod.ko, but the tree has no such file: restore it, or run depmod"},
		{"damaged module", func(c *initramfs.Config) {
			os.WriteFile(dirOf(c)+"/kernel/drivers/scsi/libiscsi.ko.zst", []byte("no zstd"), 0o644)
		}, "read module DIR/kernel/drivers/scsi/libiscsi.ko.zst: zstd: no frame header"},
		{"no depmod", func(c *initramfs.Config) { os.Remove(dirOf(c) + "/modules.dep") }, "modules in DIR: there is no modules.dep: run depmod -b ROOT " + release + ": file does not exist"},
		{"damaged index", func(c *initramfs.Config) { os.WriteFile(dirOf(c)+"/modules.dep", []byte("x\n"), 0o644) }, "modules in DIR: read modules.dep: line 1: no colon after the path of a module"},
		{"odd module", func(c *initramfs.Config) {
			os.RemoveAll(dirOf(c) + "/kernel/drivers/scsi")
			os.WriteFile(dirOf(c)+"/modules.dep", []byte("kernel/sd_mod.ko:\niscsi_tcp.ko.lz4:\nkernel/fs/ext4/ext4.ko:\n"), 0o644)
			os.WriteFile(dirOf(c)+"/kernel/sd_mod.ko", nil, 0o644)
			os.WriteFile(dirOf(c)+"/iscsi_tcp.ko.lz4", nil, 0o644)
		}, "modules in DIR: module iscsi_tcp: modules.dep lists iscsi_tcp.ko.lz4, but the tree has no such file: restore it, or run depmod"},
		{"no ext4", func(c *initramfs.Config) {
			os.RemoveAll(dirOf(c) + "/kernel/fs")
			os.WriteFile(dirOf(c)+"/modules.dep", []byte("sd_mod.ko:\niscsi_tcp.ko:\n"), 0o644)
		}, "modules in DIR: file system: module ext4: not in the module tree"},
		{"compression", func(c *initramfs.Config) { c.Compression = "lzma" }, `compression "lzma": use zstd, zstd-19, gzip, xz or none`},
		{"file for init", files(initramfs.File{Path: "/etc/../init", Data: []byte("x")}), "add /init: init cannot be replaced by a file; choose another init program instead"},
		{"below init", files(initramfs.File{Path: "/init/x"}), "add /init/x: /init: not a directory"},
		{"over a node", files(initramfs.File{Path: "/dev/null"}), "add /dev/null: file already exists"},
		{"over a directory", files(initramfs.File{Path: "/etc"}), "add /etc: file already exists"},
		{"over the root", files(initramfs.File{Path: "/"}), `add "/": it is the root directory`},
		{"twice", files(initramfs.File{Path: "/x"}, initramfs.File{Path: "//x"}), "add /x: file already exists"},
		{"source gone", files(initramfs.File{Path: "/x", Source: "/nonexistent/x"}), "add file /nonexistent/x: no such file or directory"},
		{"source is a directory", files(initramfs.File{Path: "/x", Source: "/proc"}), "add file /proc: not a regular file"},
		// Its mode lets the owner read it, and reading fails for root too.
		{"source unreadable", files(initramfs.File{Path: "/x", Source: "/proc/self/mem"}), "read /proc/self/mem: input/output error"},
		{"device", files(initramfs.File{Path: "/x", Mode: fs.ModeDevice}), "add /x: neither a regular file nor a symbolic link"},
	} {
		cfg := config(t)
		c.change(&cfg)
		_, err := initramfs.Write(t.Context(), io.Discard, cfg)
		want := strings.NewReplacer("DIR", dirOf(&cfg), "ROOT", cfg.Root).Replace(c.want)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, want)
		}
	}
}

func dirOf(c *initramfs.Config) string { return filepath.Join(c.Root, "lib/modules", release) }

func files(f ...initramfs.File) func(*initramfs.Config) {
	return func(c *initramfs.Config) { c.Files = f }
}

func TestUsrMerged(t *testing.T) {
	cfg := config(t)
	if err := os.Rename(cfg.Root+"/lib", cfg.Root+"/away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cfg.Root+"/usr", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(cfg.Root+"/away", cfg.Root+"/usr/lib"); err != nil {
		t.Fatal(err)
	}
	_, names := write(t, cfg)
	if !strings.Contains(strings.Join(names, "\n"), "\nlib/modules/"+release+"/modules.dep\n") {
		t.Errorf("no index below lib: %q", names)
	}
}

// TestXZ takes a file that the xz tool made with the options kernels are built with.
func TestXZ(t *testing.T) {
	packed, err := os.ReadFile("testdata/ext4.ko.xz")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	writeFile(t, filepath.Join(dirOf(&cfg), "kernel/fs/ext4/ext4.ko.xz"), packed)
	dep := filepath.Join(dirOf(&cfg), "modules.dep")
	data, err := os.ReadFile(dep)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dep, bytes.ReplaceAll(data, []byte("ext4.ko"), []byte("ext4.ko.xz")))
	recs, _ := write(t, cfg)
	if got := text(t, recs["lib/modules/"+release+"/kernel/fs/ext4/ext4.ko"]); got != string(moduleBytes("kernel/fs/ext4/ext4.ko")) {
		t.Errorf("got %q", got)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := initramfs.Write(ctx, io.Discard, config(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWriterFails(t *testing.T) {
	for _, c := range []initramfs.Compression{initramfs.None, initramfs.Gzip, initramfs.Zstd} {
		cfg := config(t)
		cfg.Compression = c
		if _, err := initramfs.Write(t.Context(), full{}, cfg); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: got %v", c, err)
		}
	}
}

// full is a writer without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/kmod/kmodtest"
)

const release = "6.1.0-test"

// stage is a directory with a module tree in tree/ and an init program.
type stage struct {
	t   *testing.T
	dir string
}

// module is the file of a module.
func module(name string, more ...string) string {
	return string(kmodtest.Module(append([]string{"name=" + name}, more...)...))
}

func newStage(t *testing.T) stage {
	t.Helper()
	s := stage{t, t.TempDir()}
	modules := "tree/lib/modules/" + release + "/"
	for name, text := range map[string]string{
		"init":                                           "#!init",
		modules + "modules.dep":                          "kernel/sd_mod.ko:\nkernel/iscsi_tcp.ko: kernel/libiscsi.ko\nkernel/libiscsi.ko:\nkernel/ext4.ko:\nkernel/drivers/net/virtio_net.ko:\nkernel/drivers/virtio/virtio_pci.ko:\nkernel/drivers/net/ethernet/e1000.ko:\nkernel/fs/xfs.ko:\n",
		modules + "modules.alias":                        "alias fs-ext4 ext4\nalias virtio:d00000001v* virtio_net\n",
		modules + "kernel/sd_mod.ko":                     module("sd_mod"),
		modules + "kernel/iscsi_tcp.ko":                  module("iscsi_tcp"),
		modules + "kernel/libiscsi.ko":                   module("libiscsi"),
		modules + "kernel/ext4.ko":                       module("ext4"),
		modules + "kernel/fs/xfs.ko":                     module("xfs"),
		modules + "kernel/drivers/net/virtio_net.ko":     module("virtio_net"),
		modules + "kernel/drivers/virtio/virtio_pci.ko":  module("virtio_pci"),
		modules + "kernel/drivers/net/ethernet/e1000.ko": module("e1000"),
	} {
		s.write(name, text)
	}
	return s
}

func (s stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s stage) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the program; ~ in an argument stands for the stage's directory, as it does in what is
// returned.
func (s stage) run(args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "~", s.dir)
	}
	var out, errs bytes.Buffer
	status = run(s.t.Context(), args, &out, &errs)
	return status, strings.ReplaceAll(out.String(), s.dir, "~"), strings.ReplaceAll(errs.String(), s.dir, "~")
}

// build runs the build command with the options that all stories share.
func (s stage) build(args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	return s.run(append([]string{"build", "--root", "~/tree", "--kernel-version", release, "--init", "~/init", "--output", "~/out/initrd.img"}, args...)...)
}

// outDir makes the output's directory, with an older image if text is not empty.
func (s stage) outDir(text string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("out"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if text != "" {
		s.write("out/initrd.img", text)
	}
}

// list returns the names in an image with the contents of its files.
func (s stage) list(name string) (names []string, files map[string]string) {
	s.t.Helper()
	f, err := os.Open(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		s.t.Fatal(err)
	}
	defer z.Close()
	var archive bytes.Buffer
	if _, err := archive.ReadFrom(z); err != nil {
		s.t.Fatal(err)
	}
	recs, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(archive.Bytes())))
	if err != nil {
		s.t.Fatal(err)
	}
	files = map[string]string{}
	for _, r := range recs {
		data := make([]byte, r.FileSize)
		if n, _ := r.ReadAt(data, 0); n != len(data) {
			s.t.Fatalf("%s: %d of %d bytes", r.Name, n, len(data))
		}
		names = append(names, r.Name)
		files[r.Name] = string(data)
	}
	return names, files
}

func TestBuildStory(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	s.write("hello", "hello")
	status, out, errs := s.build("--nic", "virtio_net", "--fs", "ext4", "--add-drivers", "xfs", "--file", "~/hello:/etc/greeting/", "--file", "~/hello:/hi")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	want := regexp.MustCompile(`^~/out/initrd\.img: kernel 6\.1\.0-test, 7 modules, [1-9][0-9]* bytes of zstd \(0\.0 MiB, unpacked 0\.0 MiB\)\nlargest of 36 files and directories:\n       [0-9]{3} lib/(.*\n)+$`)
	if !want.MatchString(out) {
		t.Errorf("printed %q", out)
	}
	names, files := s.list("out/initrd.img")
	modules := "lib/modules/" + release
	wantNames := []string{
		"bin", "dev", "dev/console", "dev/null", "etc", "etc/greeting", "etc/greeting/hello", "hi", "init", "lib", "lib/modules",
		modules, modules + "/kernel", modules + "/kernel/drivers", modules + "/kernel/drivers/net",
		modules + "/kernel/drivers/net/virtio_net.ko", modules + "/kernel/drivers/virtio",
		modules + "/kernel/drivers/virtio/virtio_pci.ko", modules + "/kernel/ext4.ko", modules + "/kernel/fs",
		modules + "/kernel/fs/xfs.ko", modules + "/kernel/iscsi_tcp.ko", modules + "/kernel/libiscsi.ko",
		modules + "/kernel/sd_mod.ko", modules + "/modules.alias", modules + "/modules.builtin",
		modules + "/modules.builtin.modinfo", modules + "/modules.dep", modules + "/modules.softdep",
		"proc", "root", "run", "sbin", "sys", "sysroot", "tmp",
	}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if files["init"] != "#!init" || files["hi"] != "hello" || files["etc/greeting/hello"] != "hello" {
		t.Errorf("contents: %q", files)
	}
	if got := files[modules+"/modules.dep"]; strings.Contains(got, "e1000") || !strings.Contains(got, "kernel/iscsi_tcp.ko: kernel/libiscsi.ko\n") {
		t.Errorf("modules.dep:\n%s", got)
	}
}

func TestBuildIsReproducible(t *testing.T) {
	var images [2][]byte
	for i := range images { // in different places, and at different times by the files' stamps
		s := newStage(t)
		s.outDir("")
		if status, _, errs := s.build(); status != 0 {
			t.Fatal(errs)
		}
		var err error
		if images[i], err = os.ReadFile(s.path("out/initrd.img")); err != nil {
			t.Fatal(err)
		}
		_, files := s.list("out/initrd.img")
		if _, ok := files["lib/modules/"+release+"/kernel/drivers/net/ethernet/e1000.ko"]; !ok {
			t.Error("without --nic, e1000 is missing")
		}
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("two builds of the same input differ")
	}
}

func TestBuildErrors(t *testing.T) {
	mods := "~/tree/lib/modules/" + release
	for _, c := range []struct {
		name, want string
		args       []string
		prepare    func(s stage)
	}{
		{"missing directory", "modules of kernel " + release + ": neither ~/none/lib/modules/" + release + " nor ~/none/usr/lib/modules/" + release + " is there: file does not exist: there are no modules of any kernel: install a kernel's package, or unpack one and give its directory with --root and its release with --kernel-version", []string{"--root", "~/none"}, nil},
		{"missing module", "modules in " + mods + ": network driver: module e9: not in the module tree", []string{"--nic", "e9"}, nil},
		{"missing driver", "modules in " + mods + ": module e9: not in the module tree", []string{"--add-drivers", "e9"}, nil},
		{"module file is missing", "modules in " + mods + ": module ext4: modules.dep lists kernel/ext4.ko, but the tree has no such file: restore it, or run depmod", nil, func(s stage) { os.Remove(s.path("tree/lib/modules/" + release + "/kernel/ext4.ko")) }},
		{"no depmod", "modules in " + mods + ": there is no modules.dep: run depmod -b ~/tree " + release + ": file does not exist", nil, func(s stage) { os.Remove(s.path("tree/lib/modules/" + release + "/modules.dep")) }},
		{"unreadable file", "write ~/out/initrd.img: read /proc/self/mem: input/output error", []string{"--file", "/proc/self/mem:/x"}, nil},
		{"file for init", "add /init: init cannot be replaced by a file; choose another init program instead", []string{"--file", "~/init:/init"}, nil},
		{"relative target", "--file ~/init:etc: the path in the image, after the colon, must begin with a slash", []string{"--file", "~/init:etc"}, nil},
		{"no source", "--file :/etc: no source file named", []string{"--file", ":/etc"}, nil},
		{"file system", "modules in " + mods + ": file system zfs: not supported; use one of ext2, ext3, ext4, xfs, btrfs, f2fs, erofs, squashfs, iso9660", []string{"--fs", "zfs"}, nil},
		{"compression", `compression "lz4": use zstd, zstd-19, gzip, xz or none`, []string{"--compress", "lz4"}, nil},
		{"no init", "init program: add file ~/none: no such file or directory", []string{"--init", "~/none"}, nil},
		{"unknown option", "unknown flag: --nics", []string{"--nics", "x"}, nil},
		{"argument", `build takes no arguments and got 1: put a TEXT with blanks in quotes`, []string{"x"}, nil},
	} {
		s := newStage(t)
		s.outDir("old")
		if c.prepare != nil {
			c.prepare(s)
		}
		status, out, errs := s.build(c.args...)
		if status != 1 || out != "" || errs != "iscsiroot: "+c.want+"\n" {
			t.Errorf("%s: status %d, stdout %q, stderr\n%swant\niscsiroot: %s", c.name, status, out, errs, c.want)
		}
		left, _ := os.ReadDir(s.path("out"))
		if data, err := os.ReadFile(s.path("out/initrd.img")); err != nil || string(data) != "old" || len(left) != 1 {
			t.Errorf("%s: the old image is %q, %v, beside it %v", c.name, data, err, left)
		}
		if err := os.Remove(s.path("out/initrd.img")); err != nil {
			t.Fatal(err)
		}
		s.build(c.args...)
		if left, _ := os.ReadDir(s.path("out")); len(left) != 0 {
			t.Errorf("%s: left %v", c.name, left)
		}
	}
}

func TestBuildNeedsOutput(t *testing.T) {
	s := newStage(t)
	status, _, errs := s.run("build")
	if status != 1 || errs != "iscsiroot: required flag(s) \"output\" not set\n" {
		t.Errorf("status %d, %s", status, errs)
	}
}

func TestInterrupted(t *testing.T) {
	s := newStage(t)
	s.outDir("old")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	args := []string{"build", "--root", s.path("tree"), "--kernel-version", release, "--init", s.path("init"), "-o", s.path("out/initrd.img")}
	if status := run(ctx, args, &out, &errs); status != 1 {
		t.Errorf("status %d", status)
	}
	left, _ := os.ReadDir(s.path("out"))
	if data, err := os.ReadFile(s.path("out/initrd.img")); err != nil || string(data) != "old" || len(left) != 1 {
		t.Errorf("the old image is %q, %v, beside it %v", data, err, left)
	}
}

func TestHelp(t *testing.T) {
	s := newStage(t)
	status, out, _ := s.run("--help")
	if status != 0 || !strings.Contains(out, "build       make a bootable initramfs\n") {
		t.Errorf("status %d\n%s", status, out)
	}
	status, out, _ = s.run("build", "--help")
	for _, option := range []string{"--output FILE", "--kernel-version VERSION", "--root DIR", "--nic DRIVER", "--fs NAME", "--add-drivers NAME", "--file SRC[:DST]", "--compress METHOD", "--init PATH"} {
		if status != 0 || !strings.Contains(out, option+" ") {
			t.Errorf("build --help says nothing of %s:\n%s", option, out)
		}
	}
}

func TestParseFile(t *testing.T) {
	here, err := filepath.Abs("x")
	if err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]initramfs.File{
		"x":           {Source: "x", Path: here},
		"/a/b":        {Source: "/a/b", Path: "/a/b"},
		"x:/y":        {Source: "x", Path: "/y"},
		"a/x:/etc/":   {Source: "a/x", Path: "/etc/x"},
		"/odd:x:/y":   {Source: "/odd:x", Path: "/y"},
		"/dev/x:/a/b": {Source: "/dev/x", Path: "/a/b"},
	} {
		got, err := parseFile(arg)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", arg, err, diff)
		}
	}
}

func TestFindInit(t *testing.T) {
	var cfg initramfs.Config
	if err := findInit(&cfg, "/some/init"); err != nil || cfg.InitPath != "/some/init" {
		t.Errorf("named: %+v, %v", cfg, err)
	}
	if len(packedInit) > 0 {
		cfg = initramfs.Config{}
		if err := findInit(&cfg, ""); err != nil || !bytes.Equal(cfg.PackedInit, packedInit) {
			t.Errorf("embedded: %v", err)
		}
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(exe), "init")
	want := "find the init program: no " + beside + "; name it with --init"
	if err := findInit(&initramfs.Config{}, ""); err == nil || err.Error() != want {
		t.Errorf("none: %v, want %s", err, want)
	}
	if err := os.WriteFile(beside, []byte("init"), 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(beside)
	cfg = initramfs.Config{}
	if err := findInit(&cfg, ""); err != nil || cfg.InitPath != beside {
		t.Errorf("beside: %+v, %v", cfg, err)
	}
}

package initramfs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
	"github.com/iscsiroot/iscsiroot/pkg/kmod/kmodtest"
)

// build returns an image, which is made twice: the same input makes the same bytes.
func build(t *testing.T, cfg initramfs.Config) ([]byte, initramfs.Summary) {
	t.Helper()
	var first, second bytes.Buffer
	sum, err := initramfs.Write(t.Context(), &first, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := initramfs.Write(t.Context(), &second, cfg); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("two images of the same input differ")
	}
	if sum.Bytes != int64(first.Len()) {
		t.Errorf("%d bytes, the summary says %d", first.Len(), sum.Bytes)
	}
	return first.Bytes(), sum
}

// text of a file in an image.
func content(t *testing.T, image *archive.Tree, name string) string {
	t.Helper()
	n, err := image.Follow(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(n.Data())
}

// TestCompressions unpacks each form and compares it with the plain archive.
func TestCompressions(t *testing.T) {
	cfg := config(t)
	plain, _ := build(t, cfg)
	for c, form := range map[initramfs.Compression]archive.Compression{
		initramfs.Zstd: archive.Zstd, "": archive.Zstd, initramfs.Gzip: archive.Gzip, initramfs.XZ: archive.XZ, initramfs.Zstd19: archive.Zstd,
	} {
		if _, err := exec.LookPath("zstd"); c == initramfs.Zstd19 && err != nil {
			t.Fatal(err) // scripts/deps.sh installs it
		}
		cfg.Compression = c
		image, sum := build(t, cfg)
		if sum.Unpacked != int64(len(plain)) || sum.Kernel != release || sum.Modules != 13 || len(sum.Largest) != 10 {
			t.Errorf("%s: summary %+v", c, sum)
		}
		got, err := archive.Unpack(form, image, 1<<20)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes unpacked, want %d; %v", c, len(got), len(plain), err)
		}
		// The kernel supports CRC32 but not CRC64 (the low bits of the second byte of the
		// stream flags).
		if c == initramfs.XZ && image[7] != 1 {
			t.Errorf("xz with check %d", image[7])
		}
	}
}

// A compressor that fails, or does not exist, is an error with its output.
func TestExternalFails(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t)
	cfg.Compression = initramfs.Zstd19
	t.Setenv("PATH", dir)
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), `run zstd: exec: "zstd": executable file not found`) {
		t.Errorf("got %v", err)
	}
	writeFile(t, filepath.Join(dir, "zstd"), []byte("#!/bin/sh\necho no memory >&2\nexit 3\n"))
	if err := os.Chmod(filepath.Join(dir, "zstd"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), "run zstd: exit status 3: no memory") {
		t.Errorf("got %v", err)
	}
}

func TestModTimeAndProgress(t *testing.T) {
	cfg := config(t)
	cfg.ModTime = 1700000000
	var progress []int64
	cfg.Progress = func(done, total int64) { progress = append(progress, done, total) }
	image, _ := build(t, cfg)
	n, ok := newctest.Tree(t, image).Lookup("init")
	if !ok || n.MTime != 1700000000 {
		t.Errorf("init: %+v", n)
	}
	if len(progress) < 4 || progress[len(progress)-1] != progress[len(progress)-2] || progress[0] > progress[1] {
		t.Errorf("progress %v", progress)
	}
}

// Microcode stands in front, in an archive of its own that is not compressed.
func TestMicrocode(t *testing.T) {
	cfg := config(t)
	lib := t.TempDir()
	for name, text := range map[string]string{
		"amd-ucode/a.bin": "a", "amd-ucode/b.bin": "b", "amd-ucode/b.bin.asc": "signature", "intel-ucode/06-55-04": "i",
		"intel-ucode/06-55-04.initramfs": "twice",
	} {
		writeFile(t, filepath.Join(lib, name), []byte(text))
	}
	cfg.Microcode, cfg.Compression = []string{filepath.Join(lib, "none"), lib}, initramfs.Zstd
	image, _ := build(t, cfg)
	got := newctest.Tree(t, image)
	if len(got.Segments) != 2 || got.Segments[0].Compression != archive.None || got.Segments[1].Compression != archive.Zstd {
		t.Errorf("segments %+v", got.Segments)
	}
	if content(t, got, "kernel/x86/microcode/AuthenticAMD.bin") != "ab" || content(t, got, "kernel/x86/microcode/GenuineIntel.bin") != "i" {
		t.Error("the microcode is not what the files hold")
	}
	cfg.Microcode = []string{filepath.Join(lib, "none")}
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), "no amd-ucode and no intel-ucode in") {
		t.Errorf("got %v", err)
	}
}

// An image after another one: it has the init, hides no file, adds only what is missing, and its
// index has the modules of both.
func TestAppend(t *testing.T) {
	cfg := config(t)
	base := "usr/lib/modules/" + release + "/kernel/"
	other := newctest.Archive(t, dir("dev"), dir("etc"), dir("usr"), dir("usr/bin"), dir("usr/lib"), dir("usr/lib/modules"), dir("usr/lib/modules/"+release),
		dir("usr/lib/modules/"+release+"/kernel"), dir(base+"drivers"), dir(base+"drivers/scsi"), dir(base+"fs"), dir(base+"drivers/block"),
		symlink("bin", "usr/bin"), symlink("lib", "usr/lib"), symlink("init", "usr/lib/systemd/systemd"), file("usr/bin/sh", "shell"),
		file(base+"drivers/scsi/scsi_mod.ko.xz", "packed"), file(base+"drivers/scsi/sd_mod.ko", "plain"), file(base+"drivers/block/virtio_blk.ko", "more"))
	cfg.Append = filepath.Join(t.TempDir(), "other.img")
	cfg.Compression = initramfs.Gzip
	writeFile(t, cfg.Append, pack(t, ".zst", other))
	image, sum := build(t, cfg)
	got := newctest.Tree(t, image)
	if len(got.Segments) != 2 || len(got.Odd) != 0 || got.Segments[1].Offset%512 != 0 {
		t.Errorf("segments %+v, odd %v", got.Segments, got.Odd)
	}
	if sum.Appended != 2 || sum.Modules != 11 {
		t.Errorf("summary %+v", sum)
	}
	for name, want := range map[string]string{
		"init": "init", "bin/sh": "shell", base + "drivers/scsi/sd_mod.ko": "plain", base + "drivers/scsi/scsi_mod.ko.xz": "packed",
	} {
		if text := content(t, got, name); text != want {
			t.Errorf("%s holds %q", name, text)
		}
	}
	dep := content(t, got, "lib/modules/"+release+"/modules.dep")
	for _, want := range []string{"kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko.xz\n", "kernel/drivers/scsi/iscsi_tcp.ko: kernel/drivers/scsi/libiscsi.ko kernel/drivers/scsi/scsi_mod.ko.xz\n", "virtio_blk.ko:"} {
		if !strings.Contains(dep, want) {
			t.Errorf("modules.dep lacks %q:\n%s", want, dep)
		}
	}
	for _, node := range []string{"dev/console", "dev/null", "proc", "sysroot"} {
		if _, ok := got.Lookup(node); !ok {
			t.Errorf("%s is not there", node)
		}
	}
	writeFile(t, cfg.Append, []byte("text"))
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || !strings.Contains(err.Error(), "read image "+cfg.Append+": segment 1") {
		t.Errorf("got %v", err)
	}
}

// Init and the modules have to be for the same processor.
func TestOtherProcessor(t *testing.T) {
	cfg := config(t)
	cfg.Init = kmodtest.Module()
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err != nil {
		t.Error(err)
	}
	cfg.Init[18] = 183 // EM_AARCH64
	want := "init program is for EM_AARCH64 and the modules of kernel " + release + " are for EM_X86_64: name another init program or another kernel"
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// An init program that needs shared libraries has to have them in the image.
func TestDynamicInit(t *testing.T) {
	cfg := config(t)
	var err error
	if cfg.Init, err = os.ReadFile("/bin/sh"); err != nil {
		t.Fatal(err)
	}
	_, err = initramfs.Write(t.Context(), &bytes.Buffer{}, cfg)
	if err == nil || !strings.HasPrefix(err.Error(), "init program needs shared libraries, and /lib") || !strings.HasSuffix(err.Error(), " is not in the image: build it with CGO_ENABLED=0") {
		t.Fatalf("got %v", err)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(err.Error(), "init program needs shared libraries, and "), " is not in the image: build it with CGO_ENABLED=0")
	cfg.Files = []initramfs.File{{Path: name, Data: []byte("it"), Mode: 0o755}}
	if _, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg); err != nil {
		t.Error(err)
	}
}

func TestSummaryLargest(t *testing.T) {
	cfg := config(t)
	cfg.Files = []initramfs.File{{Path: "/big", Data: make([]byte, 5000)}, {Path: "/bigger", Data: make([]byte, 6000)}}
	_, sum := build(t, cfg)
	if diff := cmp.Diff([]initramfs.Sized{{Name: "bigger", Size: 6000}, {Name: "big", Size: 5000}}, sum.Largest[:2]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

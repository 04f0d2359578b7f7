package initramfs_test

import (
	"bytes"
	"debug/pe"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
	"github.com/iscsiroot/iscsiroot/pkg/initramfs/archive"
	"github.com/iscsiroot/iscsiroot/pkg/internal/efitest"
)

// uki returns a configuration for a UKI of files in a new directory.
func uki(t *testing.T) initramfs.Config {
	t.Helper()
	dir := t.TempDir()
	cfg := config(t)
	cfg.Compression = initramfs.Gzip
	cfg.UKI = &initramfs.UKI{Stub: filepath.Join(dir, "stub"), Kernel: filepath.Join(dir, "vmlinuz"), CommandLine: "iscsi_a=10.1.1.180 quiet"}
	writeFile(t, cfg.UKI.Stub, efitest.Program(t, ".text", 6))
	writeFile(t, cfg.UKI.Kernel, efitest.Program(t, ".kernel", 0))
	return cfg
}

// What was put in is found again by another reader, each section where no other one is.
func TestUKI(t *testing.T) {
	cfg := uki(t)
	data, _ := build(t, cfg)
	f, err := pe.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	opt := f.OptionalHeader.(*pe.OptionalHeader64)
	if opt.CheckSum != 0 || opt.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY].Size != 0 {
		t.Error("checksum or signature of the stub are left")
	}
	var names []string
	var end uint32
	for _, s := range f.Sections {
		names = append(names, s.Name)
		if s.VirtualAddress%opt.SectionAlignment != 0 || s.VirtualAddress < end || s.Offset%opt.FileAlignment != 0 || s.Size%opt.FileAlignment != 0 {
			t.Errorf("section %+v begins before %#x or is not aligned", s.SectionHeader, end)
		}
		end = s.VirtualAddress + s.VirtualSize
	}
	if diff := cmp.Diff([]string{".text", ".osrel", ".cmdline", ".initrd", ".linux"}, names); diff != "" {
		t.Errorf("sections, -want +got:\n%s", diff)
	}
	if opt.SizeOfImage < end || opt.SizeOfImage%opt.SectionAlignment != 0 {
		t.Errorf("image of %#x bytes, its sections end at %#x", opt.SizeOfImage, end)
	}
	get := func(name string) []byte {
		s := f.Section(name)
		b, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		return b[:min(len(b), int(s.VirtualSize))]
	}
	if got := string(get(".cmdline")); got != "iscsi_a=10.1.1.180 quiet\x00" {
		t.Errorf(".cmdline %q", got)
	}
	if got := string(get(".osrel")); !strings.Contains(got, "VERSION_ID="+release+"\n") {
		t.Errorf(".osrel %q", got)
	}
	if !bytes.HasPrefix(get(".linux"), efitest.Program(t, ".kernel", 0)) || f.Section(".linux").VirtualSize != 0x3000 {
		t.Errorf(".linux of %#x bytes in memory is not the kernel", f.Section(".linux").VirtualSize)
	}
	image, err := archive.Read(get(".initrd"), archive.DefaultLimits)
	if err != nil || content(t, image, "init") != "init" {
		t.Errorf(".initrd: %v", err)
	}
}

func TestUKIErrors(t *testing.T) {
	for name, c := range map[string]struct {
		stub []byte
		want string
	}{
		"text":    {[]byte("text"), "no EFI program: "},
		"no room": {efitest.Program(t, ".text", 3), "its headers have room for 3 more sections, 4 are needed"},
		"a UKI":   {efitest.Program(t, ".linux", 6), "it has a section .linux: not a stub but a complete image"},
		"cut":     {efitest.Program(t, ".text", 6)[:0x3f0], "no EFI program: its headers are damaged"},
	} {
		cfg := uki(t)
		writeFile(t, cfg.UKI.Stub, c.stub)
		_, err := initramfs.Write(t.Context(), &bytes.Buffer{}, cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "EFI stub "+cfg.UKI.Stub+": "+c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := uki(t)
	cfg.UKI.Kernel += ".none"
	refused(t, cfg, "kernel: read "+cfg.UKI.Kernel+": no such file or directory")
	cfg = uki(t)
	cfg.UKI.OSRelease = "/nonexistent"
	refused(t, cfg, "read /nonexistent: no such file or directory")
}

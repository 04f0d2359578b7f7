package images

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/deps"
)

func TestInstallSyslinux(t *testing.T) {
	kernel := bytes.Repeat([]byte("kernel "), 100_000)
	boot := Filesystem{Type: "vfat", MiB: 16, Label: "BOOT", Tree: Tree{
		"vmlinuz": File{Mode: 0o644, Content: kernel}, "syslinux.cfg": Text("DEFAULT vmlinuz\n"),
	}}
	d, err := WriteDisk(filepath.Join(t.TempDir(), "disk.img"), boot, Filesystem{MiB: 4, Tree: Tree{"etc": Dir()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.InstallSyslinux(); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	if image[0] == 0 || image[mbrTable] != mbrActive || image[mbrTable+16] != 0 || image[511] != 0xaa {
		t.Errorf("first sector: % x", image[:sectorSize])
	}
	if at := int(d.offsets[0]); !bytes.Contains(image[at:at+sectorSize], []byte("SYSLINUX")) {
		t.Errorf("sector of the file system: %q", image[at:at+sectorSize])
	}
	for name, want := range map[string][]byte{"vmlinuz": kernel, "syslinux.cfg": []byte("DEFAULT vmlinuz\n")} {
		if got := typeFAT(t, d, name); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	if len(typeFAT(t, d, "ldlinux.c32")) == 0 {
		t.Error("no ldlinux.c32")
	}
	if err := d.Check(2); err != nil {
		t.Error(err)
	}
}

// typeFAT reads a file of the first partition.
func typeFAT(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	mcopy, err := deps.BootFile("mcopy")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(mcopy, "-i", fmt.Sprintf("%s@@%d", d.Path, d.offsets[0]), "::"+name, "-").Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestFATRefuses(t *testing.T) {
	for name, f := range map[string]Filesystem{
		"directory": {Tree: Tree{"a/b": Text("")}},
		"link":      {Tree: Tree{"a": Symlink("b")}},
		"UUID":      {UUID: "1234-5678"},
		"of host":   {Directory: "/"},
	} {
		f.Type, f.MiB = "vfat", 4
		if _, err := WriteDisk(filepath.Join(t.TempDir(), "disk.img"), f); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package images

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const testUUID = "11111111-2222-3333-4444-555555555555"

func testFilesystem(kind string) Filesystem {
	return Filesystem{
		Type: kind, MiB: 8, Label: "root", UUID: testUUID,
		Tree: Tree{
			"etc/name": Text("remote1\n"), "bin/sh": Symlink("busybox"), "dev/console": CharDevice(5, 1),
			"bin/busybox": {Mode: fs.ModeSetuid | 0o755, Content: []byte("#!")},
		},
	}
}

func TestDisk(t *testing.T) {
	for _, kind := range []string{"ext2", "ext3", "ext4"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			d, err := WriteDisk(filepath.Join(dir, "disk"), Filesystem{Type: "ext2", MiB: 2}, testFilesystem(kind))
			if err != nil {
				t.Fatal(err)
			}
			whole, err := WriteWholeDisk(filepath.Join(dir, "whole"), testFilesystem(kind))
			if err != nil {
				t.Fatal(err)
			}
			checkContent(t, d, 2)
			checkContent(t, whole, 0)
			for partition, disk := range map[int]*Disk{0: d, 3: d, 1: whole} {
				if _, err := disk.ReadFile(partition, "etc/name"); err == nil {
					t.Errorf("%s has no partition %d, and it was read", disk.Path, partition)
				}
			}
		})
	}
}

func checkContent(t *testing.T, d *Disk, partition int) {
	t.Helper()
	got, err := d.ReadFile(partition, "etc/name")
	if err != nil || string(got) != "remote1\n" {
		t.Errorf("partition %d: %q %v", partition, got, err)
	}
	if _, err := d.ReadFile(partition, "etc/none"); err == nil {
		t.Errorf("partition %d: a file that is not there was read", partition)
	}
	if err := d.Check(partition); err != nil {
		t.Error(err)
	}
	at, err := d.at(partition)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/bin/busybox": "Mode:  04755", "/dev/console": "major/minor number: 05:01", "/bin/sh": `dest: "busybox"`, "/etc": "User:     0   Group:     0",
	} {
		out, err := runTool("debugfs", "-R", "stat "+name, at)
		if err != nil || !strings.Contains(strings.ToLower(string(out)), strings.ToLower(want)) {
			t.Errorf("%s: no %q in %s %v", name, want, out, err)
		}
	}
}

func TestDiskIsReproducibleAndSparse(t *testing.T) {
	var sums []string
	for i := range 2 {
		if i > 0 {
			time.Sleep(1100 * time.Millisecond) // times in a file system are in seconds
		}
		d, err := WriteDisk(filepath.Join(t.TempDir(), "disk"), testFilesystem("ext3"), testFilesystem("ext4"))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := d.SHA256()
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
		var info unix.Stat_t
		if err := unix.Stat(d.Path, &info); err != nil {
			t.Fatal(err)
		}
		if used := info.Blocks * sectorSize; used > info.Size/2 {
			t.Errorf("%d of %d bytes take space", used, info.Size)
		}
	}
	if sums[0] != sums[1] {
		t.Error("two disks of the same file systems differ")
	}
}

func TestDiskRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	huge := Filesystem{MiB: 2 << 20}
	for name, systems := range map[string][]Filesystem{
		"empty":       {{}},
		"too big":     {huge, huge},
		"five":        {testFilesystem(""), testFilesystem(""), testFilesystem(""), testFilesystem(""), testFilesystem("")},
		"not a file":  {{MiB: 8, Tree: Tree{"../x": Text("")}}},
		"file as dir": {{MiB: 8, Tree: Tree{"x": Text(""), "x/y": Text("")}}},
		"no source":   {{MiB: 8, Tree: Tree{"x": Copy("/nonexistent")}}},
		"socket":      {{MiB: 8, Tree: Tree{"x": {Mode: fs.ModeSocket}}}},
		"too small":   {{MiB: 1, Tree: Tree{"x": {Mode: 0o644, Content: bytes.Repeat([]byte{1}, 2*mib)}}}},
		"no such":     {{MiB: 8, Type: "ext5"}},
	} {
		if _, err := WriteDisk(path, systems...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

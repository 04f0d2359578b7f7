package images

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A clone has the content and the holes of its original, and is a disk of its own.
func TestClone(t *testing.T) {
	dir := t.TempDir()
	d, err := WriteDisk(filepath.Join(dir, "disk"), Filesystem{Type: "ext2", MiB: 64}, testFilesystem("ext4"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.SHA256()
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Clone(filepath.Join(dir, "clone"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.SHA256(); got != want || err != nil {
		t.Errorf("the clone's digest is %s, want %s, %v", got, want, err)
	}
	checkContent(t, c, 2)
	if a, b := blocks(t, d.Path), blocks(t, c.Path); b > a {
		t.Errorf("the clone takes %d blocks, the original %d", b, a)
	}
	if err := c.ReplaceFile(2, "/etc/name", "another\n"); err != nil {
		t.Fatal(err)
	}
	checkContent(t, d, 2)
	if _, err := d.Clone(filepath.Join(dir, "none", "clone")); err == nil {
		t.Error("a clone was made in a directory that is not there")
	}
}

// blocks is what a file takes on its file system, in units of 512 bytes.
func blocks(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks
}

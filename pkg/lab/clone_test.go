package lab

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

// What is made once replaces what was made before, and a failure leaves that.
func TestMakeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
	}
	for _, name := range []string{"a-1", "b-1", "a-2"} {
		if err := makeOnce(filepath.Join(dir, name), name[:2]+"*", write(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := makeOnce(filepath.Join(dir, "b-2"), "b-*", func(string) error { return os.ErrPermission }); err == nil {
		t.Error("no error")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "a-2" || left[1].Name() != "b-1" {
		t.Errorf("there is %v, %v", left, err)
	}
}

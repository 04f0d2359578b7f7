package deps

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFindKernelMissing(t *testing.T) {
	t.Setenv("ISCSIROOT_CACHE", t.TempDir())
	if _, err := FindKernel("amd64"); !errors.Is(err, ErrNotCached) {
		t.Errorf("%v", err)
	}
}

// What is made once replaces what was made before, and a failure leaves that.
func TestMakeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
	}
	for _, name := range []string{"a-1", "b-1", "a-2"} {
		if err := MakeOnce(filepath.Join(dir, name), name[:2]+"*", write(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := MakeOnce(filepath.Join(dir, "b-2"), "b-*", func(string) error { return os.ErrPermission }); err == nil {
		t.Error("no error")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "a-2" || left[1].Name() != "b-1" {
		t.Errorf("there is %v, %v", left, err)
	}
}

// A directory is made once too, and one that another process has made meanwhile stays.
func TestMakeOnceDirectory(t *testing.T) {
	dir := t.TempDir()
	mkdir := func(file string) func(string) error {
		return func(path string) error {
			if err := os.Mkdir(path, 0o755); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(path, file), nil, 0o644)
		}
	}
	for _, name := range []string{"a-1", "a-2"} {
		if err := MakeOnce(filepath.Join(dir, name), "a-*", mkdir("first")); err != nil {
			t.Fatal(err)
		}
	}
	if err := MakeOnce(filepath.Join(dir, "a-2"), "a-*", mkdir("second")); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if want := filepath.Join(dir, "a-2", "first"); err != nil || len(found) != 1 || found[0] != want {
		t.Errorf("there is %v, %v, want %s", found, err, want)
	}
}

func TestBootFileRefuses(t *testing.T) {
	if _, err := BootFile("lilo"); err == nil {
		t.Error("an unknown boot file: no error")
	}
}

// What is not in the cache may be installed.
func TestUnpacked(t *testing.T) {
	t.Setenv("ISCSIROOT_CACHE", t.TempDir())
	if name, err := FindUnpacked("it", "netboot", "etc/passwd"); err != nil || name != "/etc/passwd" {
		t.Errorf("%s, %v", name, err)
	}
	if _, err := FindUnpacked("it", "netboot", "no/such/file"); !errors.Is(err, ErrNotCached) {
		t.Errorf("nowhere: %v", err)
	}
}

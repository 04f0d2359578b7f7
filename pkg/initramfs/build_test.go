package initramfs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

func TestBuildReplacesWhenComplete(t *testing.T) {
	cfg := config(t)
	out := filepath.Join(t.TempDir(), "initrd.img")
	writeFile(t, out, []byte("old"))
	if err := os.Chmod(out, 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err := initramfs.Build(t.Context(), cfg, out)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(out)
	if err != nil || st.Mode() != 0o644 || st.Size() != sum.Bytes {
		t.Errorf("%v, %v; %d bytes in the summary", st, err, sum.Bytes)
	}
	onlyFile(t, out)
}

func TestBuildKeepsTheOldOnErrors(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		change func(*initramfs.Config)
	}{
		"before writing": {t.Context(), func(c *initramfs.Config) { c.NICs = []string{"e9"} }},
		"while writing":  {t.Context(), files(initramfs.File{Path: "/x", Source: "/proc/self/mem"})},
		"interrupted":    {cancelled, func(*initramfs.Config) {}},
	} {
		cfg := config(t)
		c.change(&cfg)
		out := filepath.Join(t.TempDir(), "initrd.img")
		if _, err := initramfs.Build(c.ctx, cfg, out); err == nil {
			t.Errorf("%s: no error", name)
		}
		if left, _ := os.ReadDir(filepath.Dir(out)); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
		writeFile(t, out, []byte("old"))
		if _, err := initramfs.Build(c.ctx, cfg, out); err == nil {
			t.Errorf("%s: no error", name)
		}
		if data, err := os.ReadFile(out); err != nil || string(data) != "old" {
			t.Errorf("%s: the old image is %q, %v", name, data, err)
		}
		onlyFile(t, out)
	}
}

// onlyFile checks that nothing else is in the directory of name.
func onlyFile(t *testing.T, name string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("beside %s: %v, %v", name, left, err)
	}
}

func TestBuildOutputPlace(t *testing.T) {
	dir := t.TempDir()
	if _, err := initramfs.Build(t.Context(), config(t), dir); err == nil || err.Error() != "write "+dir+": not a regular file" {
		t.Errorf("a directory: %v", err)
	}
	out := filepath.Join(dir, "none/initrd.img")
	if _, err := initramfs.Build(t.Context(), config(t), out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
}

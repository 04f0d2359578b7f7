package unpack_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/unpack"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
)

// A run that ends early leaves the mode of a directory that was there, and a whole one gives each
// directory its own, the inner ones too.
func TestModesOfDirectories(t *testing.T) {
	closed, inner := dir("closed"), dir("closed/inner")
	closed.Mode, inner.Mode = cpio.S_IFDIR|0o500, cpio.S_IFDIR|0o510
	image := newctest.Tree(t, newctest.Archive(t, dir("a"), closed, inner, file("closed/inner/c", "c"), file("d", "d")))
	there := filepath.Join(t.TempDir(), "there")
	if err := errors.Join(os.Mkdir(there, 0o700), os.Chmod(there, 0o751)); err != nil {
		t.Fatal(err)
	}
	ctx := &countdown{Context: t.Context(), ended: func() {}}
	ctx.left.Store(4)
	if _, err := unpack.Into(ctx, image, there); err == nil {
		t.Fatal("not ended")
	}
	modes := func(want map[string]os.FileMode) {
		t.Helper()
		for name, mode := range want {
			if st, err := os.Stat(filepath.Join(there, name)); err != nil || st.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v, want %v", name, st.Mode(), err, mode)
			}
		}
	}
	modes(map[string]os.FileMode{".": 0o751})
	if _, err := unpack.Into(t.Context(), image, there); err != nil {
		t.Fatal(err)
	}
	modes(map[string]os.FileMode{".": 0o751, "closed": 0o500, "closed/inner": 0o510})
}

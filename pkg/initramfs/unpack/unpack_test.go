package unpack_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs/unpack"
	"github.com/iscsiroot/iscsiroot/pkg/internal/newctest"
)

func dir(name string) cpio.Record { return cpio.Directory(name, 0o755) }

func file(name, text string) cpio.Record { return cpio.StaticFile(name, text, 0o644) }

// snapshot returns all names below a directory with what they hold.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch d.Type() {
		case 0:
			data, err := os.ReadFile(path)
			out[rel] = string(data)
			return err
		case os.ModeSymlink:
			out[rel], err = os.Readlink(path)
			return err
		}
		out[rel] = d.Type().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An image that tries every way out of the directory stays in it.
func TestStaysInside(t *testing.T) {
	outside := t.TempDir()
	image := bytes.Join([][]byte{
		newctest.Archive(t, dir("etc"), file("etc/a", "a"), cpio.Symlink("up", "../../.."), cpio.Symlink("abs", outside), cpio.Symlink("in", "/etc")),
		newctest.Archive(t, file("up/evil", "evil"), file("abs/evil", "evil"), file("../../evil", "evil"), file("/evil2", "evil"), file("in/b", "b"), cpio.Symlink("etc/a", outside+"/x")),
		newctest.Archive(t, file("etc/a", "replaced")),
	}, nil)
	top := t.TempDir()
	into := filepath.Join(top, "x/y")
	if _, err := unpack.Into(t.Context(), newctest.Tree(t, image), into); err != nil {
		t.Fatal(err)
	}
	// up/evil: the root directory is its own parent.
	want := map[string]string{
		"etc": "d---------", "etc/a": "replaced", "etc/b": "b", "up": "../../..", "abs": outside, "in": "/etc", "evil": "evil", "evil2": "evil",
	}
	if diff := cmp.Diff(want, snapshot(t, into)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := snapshot(t, outside); len(got) != 0 {
		t.Errorf("outside: %q", got)
	}
	if got := snapshot(t, top); len(got) != len(want)+2 {
		t.Errorf("above: %q", got)
	}
}

func TestKeepsAttributes(t *testing.T) {
	one, two := file("a", "text"), file("b", "text")
	one.Ino, two.Ino, one.NLink, two.NLink = 5, 5, 2, 2
	closed := dir("closed")
	closed.Mode, closed.MTime = cpio.S_IFDIR|0o500, 1e9
	su := file("su", "x")
	su.Mode |= cpio.S_ISUID | 0o111
	into := filepath.Join(t.TempDir(), "out")
	skipped, err := unpack.Into(t.Context(), newctest.Tree(t, newctest.Archive(t, one, two, closed, file("closed/in", ""), su, cpio.CharDev("null", 0o666, 1, 3))), into)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a user could not remove what is in it
		if err := os.Chmod(filepath.Join(into, "closed"), 0o700); err != nil {
			t.Error(err)
		}
	})
	var a, b, c unix.Stat_t
	for name, st := range map[string]*unix.Stat_t{"a": &a, "b": &b, "closed": &c} {
		if err := unix.Lstat(filepath.Join(into, name), st); err != nil {
			t.Fatal(err)
		}
	}
	if a.Ino != b.Ino || c.Mode&0o777 != 0o500 || c.Mtim.Sec != 1e9 {
		t.Errorf("a %+v\nb %+v\nclosed %+v", a, b, c)
	}
	if st, err := os.Stat(filepath.Join(into, "su")); err != nil || st.Mode() != 0o755|os.ModeSetuid {
		t.Errorf("su: %v, %v", st, err)
	}
	st, err := os.Stat(filepath.Join(into, "null"))
	if os.Geteuid() == 0 && (err != nil || st.Mode()&os.ModeCharDevice == 0 || len(skipped) != 0) || os.Geteuid() != 0 && len(skipped) != 1 {
		t.Errorf("null: %v, %v, skipped %q", st, err, skipped)
	}
}

func TestRefuses(t *testing.T) {
	image := newctest.Tree(t, newctest.Archive(t, dir("a"), file("a/b", "b")))
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack.Into(t.Context(), image, full); err == nil || !strings.HasSuffix(err.Error(), full+": the directory is not empty: name a new one") {
		t.Errorf("got %v", err)
	}
	if _, err := unpack.Into(t.Context(), image, filepath.Join(full, "x")); err == nil {
		t.Error("a file was taken for a directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := unpack.Into(ctx, image, filepath.Join(full, "y")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

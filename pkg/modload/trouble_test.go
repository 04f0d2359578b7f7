//go:build linux

package modload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// strictKernel refuses a module before those whose symbols it uses, as the real one does.
func strictKernel(k *fakeKernel, uses map[string]string) func(int, string, int) error {
	loaded := map[string]bool{}
	return func(fd int, params string, flags int) error {
		name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(filepath.Base(name), ".ko")
		_ = k.finit(fd, params, flags)
		for need := range strings.FieldsSeq(uses[base]) {
			if !loaded[need] {
				return unix.ENOENT
			}
		}
		loaded[base] = true
		return nil
	}
}

// circularTree is a tree whose modules.dep has a cycle and lists a file that does not exist.
func circularTree(t *testing.T, opts Options) (*Loader, *fakeKernel) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"modules.dep": "r.ko: a.ko b.ko\na.ko: b.ko\nb.ko: a.ko\nlost.ko: gone.ko\n",
		"a.ko":        "", "b.ko": "", "r.ko": "", "lost.ko": "",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	idx, err := kmod.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKernel{}
	l := New(idx, dir, opts)
	l.kernel = kernel{finit: strictKernel(k, map[string]string{"a": "b", "r": "a"}), unpack: k.unpack, sys: dir}
	return l, k
}

func TestCircleIsLoadedInTheEnd(t *testing.T) {
	l, k := circularTree(t, Options{})
	if err := l.Load(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	want := "insmod a.ko\ninsmod b.ko\ninsmod r.ko\ninsmod a.ko\ninsmod r.ko"
	if diff := cmp.Diff(want, k.transcript()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLostDependencyIsNamed(t *testing.T) {
	l, _ := circularTree(t, Options{Release: "6.1.0"})
	if err := l.Load(t.Context(), "lost"); err != nil {
		t.Errorf("it loads without: %v", err)
	}
	strict, k := circularTree(t, Options{Release: "6.1.0"})
	strict.kernel.finit = strictKernel(k, map[string]string{"lost": "gone"})
	err := strict.Load(t.Context(), "lost")
	want := "load module lost: " + strict.dir + "/lost.ko: no such file or directory (it uses a symbol that the running kernel and the loaded modules do not have); " +
		"before that, module gone: not built into the running kernel 6.1.0, and the image holds only r, a, b, lost for it in " + strict.dir
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNever(t *testing.T) {
	l, k := newTree(t, Options{Never: []string{"base"}})
	if err := l.Load(t.Context(), "base"); err != nil {
		t.Errorf("by name: %v", err)
	}
	if err := l.Load(t.Context(), "left"); err != nil {
		t.Errorf("one that can do without: %v", err)
	}
	l.kernel.finit = strictKernel(k, map[string]string{"right": "base"})
	err := l.Load(t.Context(), "right")
	if err == nil || !strings.HasSuffix(err.Error(), "; before that, module base: forbidden by module_blacklist=") {
		t.Errorf("one that cannot: %v", err)
	}
	if strings.Contains(k.transcript(), "base") {
		t.Errorf("got %q", k.transcript())
	}
}

func TestBlacklistedSoftDependency(t *testing.T) {
	l, k := newTree(t, Options{})
	l.idx = l.idx.WithConfig(kmod.Config{Blacklist: map[string]bool{"helper": true, "left": true}})
	for _, name := range []string{"top", "bus:1"} {
		if err := l.Load(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff("insmod base.ko\ninsmod right.ko\ninsmod left.ko\ninsmod top.ko", k.transcript()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBuiltInByName(t *testing.T) {
	l, k := newTree(t, Options{})
	writeFile(t, filepath.Join(l.kernel.sys, "module/virtio_pci/version"), "1\n")
	if err := l.Load(t.Context(), "virtio-pci"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"..", ".", "", "a/b"} {
		if err := l.Load(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if len(k.log) != 0 {
		t.Error(k.transcript())
	}
}

func TestBusyIsTriedAgain(t *testing.T) {
	l, k := newTree(t, Options{})
	tries := 0
	l.kernel.finit = func(fd int, params string, flags int) error {
		if tries++; tries == 1 {
			return unix.EBUSY
		}
		return k.finit(fd, params, flags)
	}
	if err := l.Load(t.Context(), "base"); err != nil || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

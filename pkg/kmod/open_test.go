package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func inOrder(list []string) []string { return slices.Sorted(slices.Values(list)) }

// notes collects Open's notes.
type notes []string

func (n *notes) add(err error) { *n = append(*n, err.Error()) }

// xzCat unpacks with xz(1).
func xzCat(f fs.File, _ string) ([]byte, error) {
	cmd := exec.Command("xz", "-dc")
	cmd.Stdin = f
	return cmd.Output()
}

// TestOpenFlat reads real files without an index, as the HOWTO has them.
func TestOpenFlat(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Fatal(err)
	}
	var got notes
	x, err := Open(os.DirFS("testdata/modules"), Options{Flat: true, Release: "6.1.0-56-amd64", Unpack: xzCat, Note: got.add})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"fs-ext3":       "crc32c-intel.ko crc32c_generic.ko.xz crc16.ko jbd2.ko mbcache.ko ext4.ko",
		"net-failover":  "failover.ko net_failover.ko",
		"crypto-crc32c": "crc32c-intel.ko crc32c_generic.ko.xz",
	} {
		mods, err := x.Plan(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := strings.Fields(paths(mods))
		if diff := cmp.Diff(inOrder(strings.Fields(want)), inOrder(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if name != "crypto-crc32c" && (len(got) == 0 || !strings.HasSuffix(want, got[len(got)-1])) {
			t.Errorf("%s ends with another one: %v", name, got)
		}
	}
	if mods := x.Match("virtio:d00000001v1AF4"); paths(mods) != "virtio_net.ko\n" {
		t.Errorf("virtio: %v", mods)
	}
	for name, want := range map[string]Kind{"virtio_net": KindEthernet, "ext4": KindOther, "failover": KindOther} {
		if m, _, _ := x.Lookup(name); m.Kind() != want {
			t.Errorf("%s is %v", name, m.Kind())
		}
	}
	if len(got) > 0 {
		t.Errorf("notes: %q", got)
	}
	if diff := cmp.Diff(x.Files(), reread(t, x).Files()); diff != "" {
		t.Errorf("as an index (-want +got):\n%s", diff)
	}
}

// files makes a tree of module files, from their names and .modinfo; data files keep their text.
func files(infos map[string]Info, text map[string]string) fstest.MapFS {
	out := tree(text)
	for name, info := range infos {
		out[name] = &fstest.MapFile{Data: moduleFile(info, elf64)}
	}
	return out
}

func TestOpenWithoutIndex(t *testing.T) {
	x, err := Open(files(map[string]Info{
		"kernel/a-b.ko":            {Name: "a_b", Depends: []string{"c", "d"}},
		"kernel/drivers/c.ko":      {Name: "c"},
		"d.ko":                     {Depends: []string{"e"}}, // from before Linux 4.13
		"renamed.ko":               {Name: "e"},
		"zz/e.ko":                  {Name: "e"},
		"xhci_pci.ko":              {Name: "xhci_pci"},
		"extra/qmi.ko":             {Name: "qmi_wwan", Ethernet: true},
		"kernel/drivers/scsi/x.ko": {Name: "x", Ethernet: true},
	}, map[string]string{builtinFile: "kernel/d.ko\n", "kernel/note.txt": "", "kernel/packed.ko.xz": "", ".ko": ""}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if mods, err := x.Plan("a-b"); err != nil || paths(mods) != "drivers/c.ko\na-b.ko\n" {
		t.Errorf("%q, %v", paths(mods), err)
	}
	if m, _, ok := x.Lookup("renamed"); !ok || m.Name != "e" || m.Path != "renamed.ko" {
		t.Errorf("renamed: %+v, %v", m, ok)
	}
	for name, want := range map[string]Kind{"xhci_pci": KindBus, "qmi_wwan": KindOther, "x": KindOther} {
		if m, _, _ := x.Lookup(name); m.Kind() != want {
			t.Errorf("%s is %v", name, m.Kind())
		}
	}
}

func TestOpenDamaged(t *testing.T) {
	infos := map[string]Info{
		"kernel/a.ko": {Name: "a", Depends: []string{"b"}}, "kernel/b.ko": {Name: "b"}, "kernel/c.ko": {Name: "c"},
	}
	for _, c := range []struct{ name, dep, plan, note string }{
		{"garbage line", "kernel/a.ko: kernel/b.ko\n\x7fELF\x00\x01\nkernel/c.ko:\n", "b.ko\na.ko\n", "read modules.dep: line 2: no colon after the path of a module"},
		{"all garbage", strings.Repeat("\xff\xfe garbage \x00", 30), "b.ko\na.ko\n", "read modules.dep: line 1: no colon after the path of a module"},
		{"cut off", "kernel/b.ko:\nkernel/a.ko: kern", "", "read modules.dep: cut off: the last line has no end"},
		{"empty", "", "b.ko\na.ko\n", ""},
	} {
		var got notes
		x, err := Open(files(infos, map[string]string{depFile: c.dep}), Options{Note: got.add})
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Modules()) != 3 {
			t.Errorf("%s: %v", c.name, x.Modules())
		}
		if mods, err := x.Plan("a"); c.plan != "" && (err != nil || paths(mods) != c.plan) {
			t.Errorf("%s: %q, %v", c.name, paths(mods), err)
		}
		if c.note != "" && (len(got) == 0 || got[0] != c.note) {
			t.Errorf("%s: notes %q", c.name, got)
		}
	}
}

func TestOpenOtherRelease(t *testing.T) {
	old := Info{Name: "old", Vermagic: "5.10.0 SMP"}
	_, err := Open(files(map[string]Info{"old.ko": old}, nil), Options{Release: "6.1.0"})
	var other *ReleaseError
	if !errors.As(err, &other) || err.Error() != "modules: no modules for the running kernel 6.1.0, only for 5.10.0" {
		t.Fatalf("got %v", err)
	}
	if want := "build the image again with iscsiroot build --kernel-version 6.1.0, or boot the kernel 5.10.0"; other.Hint() != want {
		t.Errorf("hint %q", other.Hint())
	}
	var got notes
	x, err := Open(files(map[string]Info{"old.ko": old, "new.ko": {Name: "new", Vermagic: "6.1.0 SMP"}}, map[string]string{"bad.ko": "x"}),
		Options{Release: "6.1.0", Note: got.add})
	if err != nil || len(x.Modules()) != 1 {
		t.Fatalf("%v, %v", x, err)
	}
	want := notes{"bad.ko is left out: not a kernel module: it ends before offset 52", "1 files are left out: they were built for kernel 5.10.0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOpenNothing(t *testing.T) {
	x, err := Open(fstest.MapFS{}, Options{})
	if err != nil || len(x.Modules()) != 0 {
		t.Errorf("%v, %v", x, err)
	}
}

// plainFS hides all methods of its files but those of fs.File.
type plainFS struct{ fs.FS }

func (p plainFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	if _, isDir := f.(fs.ReadDirFile); isDir {
		return f, err
	}
	return struct{ fs.File }{f}, err
}

func TestOpenFileWithoutReaderAt(t *testing.T) {
	var got notes
	fsys := files(map[string]Info{"a.ko": {Name: "a"}, "b.ko.gz": {Name: "b"}, "c.ko.gz": {Name: "c"}}, nil)
	unpack := func(f fs.File, path string) ([]byte, error) {
		if path == "c.ko.gz" {
			return nil, fmt.Errorf("unpack: %w", io.ErrUnexpectedEOF)
		}
		return io.ReadAll(f)
	}
	x, err := Open(plainFS{fsys}, Options{Unpack: unpack, Note: got.add})
	if err != nil || len(x.Modules()) != 2 {
		t.Errorf("%+v, %v", x.Modules(), err)
	}
	if diff := cmp.Diff(notes{"c.ko.gz is left out: unpack: unexpected EOF"}, got); diff != "" {
		t.Error(diff)
	}
}

// After a panic in a decompressor only the module that it unpacked is left out.
func TestOpenFilePanics(t *testing.T) {
	var got notes
	fsys := files(map[string]Info{"a.ko": {Name: "a"}, "b.ko.gz": {Name: "b"}, "c.ko": {Name: "c"}}, nil)
	x, err := Open(fsys, Options{Unpack: func(fs.File, string) ([]byte, error) { panic("a bug") }, Note: got.add})
	if err != nil || len(x.Modules()) != 2 {
		t.Errorf("%+v, %v", x.Modules(), err)
	}
	if diff := cmp.Diff(notes{"b.ko.gz is left out: internal error: panic: a bug"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzOpen: a valid module file is found beside any other file, and every name has a plan.
func FuzzOpen(f *testing.F) {
	s := seedFiles(f)
	f.Add(s[0], s[1])
	f.Add([]byte("kernel/good.ko: kernel/bad.ko\nkernel/bad.ko: kernel/good.ko\n"), []byte("\x7fELF"))
	f.Add([]byte("x: y"), moduleFile(Info{Name: "good", Depends: []string{"good"}}, elf32))
	good := moduleFile(Info{Name: "good"}, elf64)
	f.Fuzz(func(t *testing.T, dep, bad []byte) {
		x, err := Open(fstest.MapFS{
			depFile: {Data: dep}, "kernel/good.ko": {Data: good}, "kernel/bad.ko": {Data: bad},
		}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, ok := x.Lookup("good")
		if sound := bytes.HasSuffix(dep, []byte("\n")) && len(x.Modules()) > 0; !ok && !sound {
			t.Error("the valid module is not found")
		}
		for _, m := range x.Modules() {
			steps, err := x.Steps(m.Name)
			if err != nil || len(steps) == 0 {
				t.Errorf("%s: %v, %v", m.Name, steps, err)
			}
		}
	})
}

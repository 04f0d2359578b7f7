//go:build linux

package modload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

func TestParseModprobe(t *testing.T) {
	for _, c := range []struct {
		args   []string
		name   string
		params string
		err    string
	}{
		{[]string{"-q", "--", "fs-ext4"}, "fs-ext4", "", ""},
		{[]string{"--", "-odd"}, "-odd", "", ""},
		{[]string{"-q", "-s", "e1000", "debug=4", "copybreak=0"}, "e1000", "debug=4 copybreak=0", ""},
		{[]string{"-r", "e1000"}, "", "", `modprobe: unknown option "-r"`},
		{[]string{"-q", "--"}, "", "", "modprobe: no module named"},
		{[]string{"--", ""}, "", "", "modprobe: no module named"},
		{nil, "", "", "modprobe: no module named"},
	} {
		req, err := parseModprobe(c.args)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: %v, want %s", c.args, err, c.err)
			}
			continue
		}
		if err != nil || req.name != c.name || req.params != c.params {
			t.Errorf("%q: %+v, %v", c.args, req, err)
		}
	}
}

func TestModprobeParams(t *testing.T) {
	boot := map[string]string{"left": `a=1 "b=two words"`, "right": "flag"}
	l, k := newTree(t, Options{Params: boot})
	if err := (request{"left", "z=9"}).loadWith(l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("insmod base.ko\ninsmod left.ko a=1 \"b=two words\" z=9", k.transcript()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if boot["left"] != `a=1 "b=two words"` {
		t.Error("the caller's map was changed")
	}
}

// TestModprobeHere requests a module that no kernel has; the answer must be one of the two that a
// caller decides by.
func TestModprobeHere(t *testing.T) {
	err := Modprobe([]string{"-q", "--", "iscsiroot-no-such-module"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTree(t *testing.T) {
	root := t.TempDir()
	if _, err := Tree(root, "6.1.0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("neither is there: %v", err)
	}
	usr := filepath.Join(root, "usr/lib/modules/6.1.0")
	writeFile(t, filepath.Join(usr, "modules.dep"), "")
	if dir, err := Tree(root, "6.1.0"); err != nil || dir != usr {
		t.Errorf("got %s, %v", dir, err)
	}
	lib := filepath.Join(root, "lib/modules/6.1.0")
	writeFile(t, filepath.Join(lib, "modules.dep"), "")
	if dir, err := Tree(root, "6.1.0"); err != nil || dir != lib {
		t.Errorf("got %s, %v", dir, err)
	}
	for _, release := range []string{"", ".", "..", "a/b", "../6.1.0"} {
		if dir, err := Tree(root, release); err == nil {
			t.Errorf("%q: got %s", release, dir)
		}
	}
}

func TestRelease(t *testing.T) {
	got, err := Release()
	want, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil || got+"\n" != string(want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestWanted(t *testing.T) {
	for path, want := range map[string]bool{
		"kernel/drivers/net/virtio_net.ko":                  true,
		"kernel/drivers/net/ethernet/intel/e1000/e1000.ko":  true,
		"kernel/drivers/virtio/virtio_pci.ko":               true,
		"kernel/drivers/block/virtio_blk.ko":                false,
		"kernel/drivers/nvme/host/nvme.ko":                  false,
		"kernel/drivers/net/wireless/ath/ath9k/ath9k.ko.xz": false,
	} {
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		if got := Wanted(kmod.Module{Name: name, Path: path}); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

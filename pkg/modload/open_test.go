//go:build linux

package modload

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// testLog keeps its lines.
type testLog struct{ warnings, debug []string }

func (l *testLog) Warnf(f string, a ...any)  { l.warnings = append(l.warnings, fmt.Sprintf(f, a...)) }
func (l *testLog) Debugf(f string, a ...any) { l.debug = append(l.debug, fmt.Sprintf(f, a...)) }

const release61 = "6.1.0-56-amd64"

// flatTree puts the module files of kmod's test data into ROOT/usr/lib/modules, packed by the
// programs named.
func flatTree(t *testing.T, pack map[string][]string) (root string) {
	t.Helper()
	root = t.TempDir()
	files, err := filepath.Glob("../kmod/testdata/modules/*.ko*")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(f)
		if p := pack[name]; p != nil {
			cmd := exec.Command(p[1], "-c")
			cmd.Stdin = bytes.NewReader(data)
			if data, err = cmd.Output(); err != nil {
				t.Fatalf("%s: %v", p[1], err)
			}
			name += p[0]
		}
		writeFile(t, filepath.Join(root, "usr/lib/modules", name), string(data))
	}
	return root
}

func TestOpenFlatAndPacked(t *testing.T) {
	root := flatTree(t, map[string][]string{
		"ext4.ko": {".gz", "gzip"}, "jbd2.ko": {".zst", "zstd"}, "mbcache.ko": {".xz", "xz"},
	})
	writeFile(t, filepath.Join(root, "etc/modprobe.d/a.conf"), "options ext4 a=1\nblacklist crc32c-intel\ninstall x y\n")
	log := &testLog{}
	given := bootspec.ParseModules(cmdline.Parse("ext4.b=2 modprobe.blacklist=failover,virtio-net rd.driver.post=jbd2"))
	l, idx, err := Open(root, release61, given, log)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.String(); got != "10 modules in "+root+"/usr/lib/modules" {
		t.Error(got)
	}
	steps, err := idx.Steps("fs-ext4")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range steps {
		names = append(names, filepath.Base(s.Path))
	}
	slices.Sort(names)
	want := "crc16.ko crc32c_generic.ko.xz ext4.ko.gz jbd2.ko.zst mbcache.ko.xz"
	if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := l.opts.Params["ext4"]; got != "a=1 b=2" {
		t.Errorf("parameters %q", got)
	}
	for _, name := range []string{"failover", "virtio_net", "crc32c_intel", "jbd2"} {
		if !idx.Blacklisted(name) {
			t.Errorf("%s is not on the blacklist", name)
		}
	}
	if len(log.warnings) != 0 || len(log.debug) != 1 {
		t.Errorf("log: %+v", log)
	}
}

func TestOpenOtherRelease(t *testing.T) {
	flat := flatTree(t, nil)
	other := t.TempDir()
	writeFile(t, filepath.Join(other, "lib/modules/5.10.0/modules.dep"), "a.ko:\n")
	if err := os.MkdirAll(filepath.Join(other, "lib/modules/empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for root, held := range map[string]string{flat: release61, other: "5.10.0"} {
		_, _, err := Open(root, "6.9.9", bootspec.Modules{}, nil)
		var e *kmod.ReleaseError
		if !errors.As(err, &e) || e.Running != "6.9.9" || strings.Join(e.Held, " ") != held {
			t.Errorf("%s: %v", held, err)
		}
	}
}

func TestOpenNothing(t *testing.T) {
	root := t.TempDir()
	l, idx, err := Open(root, "6.1.0", bootspec.Modules{}, nil)
	if err != nil || len(idx.Modules()) != 0 {
		t.Fatalf("%v, %v", idx, err)
	}
	var missing *MissingError
	if err := l.Load(t.Context(), "iscsiroot-none"); !errors.As(err, &missing) || missing.Release != "6.1.0" {
		t.Errorf("got %v", err)
	}
}

func TestOpenDamagedSaysSo(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "lib/modules/6.1.0")
	writeFile(t, filepath.Join(dir, "modules.dep"), "a.ko:\ngarbage\n")
	log := &testLog{}
	if _, idx, err := Open(root, "6.1.0", bootspec.Modules{}, log); err != nil || len(idx.Modules()) != 1 {
		t.Errorf("%v, %v", idx, err)
	}
	want := []string{"modules: read modules.dep: line 2: no colon after the path of a module"}
	if diff := cmp.Diff(want, log.warnings); diff != "" {
		t.Error(diff)
	}
}

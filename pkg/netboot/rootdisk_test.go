package netboot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Of a journal that was cut off while it was written the whole lines count, and no line leads out
// of the directory, or to the directory itself.
func TestParseJournal(t *testing.T) {
	want := []entry{{"dir", "tftp"}, {"new", "tftp/a b"}, {"changed", "c"}}
	for name, text := range map[string]string{
		"whole": "", "cut off in a path": "new tftp/x", "cut off in a kind": "ne", "a line without a path": "new\n", "up": "new ../x\n",
		"from the root": "new /etc/passwd\n", "the directory": "removed .\n", "an empty path": "new \n", "up from within": "new a/../../x\n",
	} {
		if got := parseJournal([]byte(string(journalText(want)) + text)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// testDisk is a directory of a test as a disk.
func testDisk(t *testing.T) (d rootDisk, dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	return rootDisk{root}, dir
}

// That a name is not there is no error, a file in place of its directory included; that it cannot
// be found out is one.
func TestExists(t *testing.T) {
	d, dir := testDisk(t)
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"file": true, "link": true, ".": true, "none": false, "none/below": false, "file/below": false} {
		if there, err := d.exists(name); there != want || err != nil {
			t.Errorf("%s: %v, %v", name, there, err)
		}
	}
	if there, err := d.exists(strings.Repeat("x", 300)); there || !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("a name that cannot be: %v, %v", there, err)
	}
	changes := []Change{{Kind: "new", File: File{Path: strings.Repeat("x", 300) + "/file"}}}
	if entries, err := journalOf(d, changes); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("the journal of such a file: %q, %v", entries, err)
	}
}

// The changes of a disk: what is written has its mode and content in place of what was there, and
// only files and empty directories are removed.
func TestRootDisk(t *testing.T) {
	d, dir := testDisk(t)
	check := func(name, text string, mode fs.FileMode) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		st, serr := os.Stat(filepath.Join(dir, name))
		if err = errors.Join(err, serr); err != nil || string(b) != text || st.Mode().Perm() != mode {
			t.Errorf("%s is %q, %v, want %q, %v", name, b, err, text, mode)
		}
	}
	for _, err := range []error{
		d.write("file", []byte("other"), attr{mode: 0o604}), d.mkdir("a/b", 0o750), d.write("a/b/c", []byte("c"), attr{mode: 0o600}),
		d.link("a/b/c", "a/kept"), d.link("file", "a/kept"), d.set("a/b/c", attr{mode: 0o644}), d.set("file", attr{}), d.remove("none"), d.remove("file/below"),
		d.sync("."), d.sync("file"), d.rename("a/kept", "moved"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	check("file", "other", 0o604)
	check("moved", "other", 0o604)
	check("a/b/c", "c", 0o644)
	d.rmdir("a/b")
	check("a/b/c", "c", 0o644)
	if err := d.remove("a/b/c"); err != nil {
		t.Error(err)
	}
	d.rmdir("a/b")
	if there, err := d.exists("a/b"); there || err != nil {
		t.Errorf("an empty directory is left: %v", err)
	}
	for name, err := range map[string]error{
		"remove": d.remove("."), "write": d.write("none/x", nil, attr{mode: 0o600}), "set": d.set("none", attr{mode: 0o600}),
		"link": d.link("none", "x"), "rename": d.rename("none", "x"), "sync": d.sync("none"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if b, err := d.read("a"); err == nil {
		t.Errorf("a directory is read: %q", b)
	}
}

// Of hosts in which something is missing that is reported, and not that they have it in common.
func TestIncompleteHostsHaveNothingInCommon(t *testing.T) {
	const head = "server: 10.1.1.1\ndefaults: {initiator: \"iqn.2007-01.com.example:{name}\", portals: 10.1.1.180, kernel: k, initrd: i}\nhosts:\n"
	for missing, hosts := range map[string]string{
		"mac":     "  - {name: a, address: 10.1.1.5/24, target: \"iqn.2007-01.com.example:t\"}\n  - {name: b, address: 10.1.1.5/24, target: \"iqn.2007-01.com.example:t\"}\n",
		"address": "  - {name: a, mac: \"52:54:00:00:00:01\", target: \"iqn.2007-01.com.example:t\"}\n  - {name: b, mac: \"52:54:00:00:00:01\", target: \"iqn.2007-01.com.example:t\"}\n",
		"target":  "  - {name: a, mac: \"52:54:00:00:00:01\", address: 10.1.1.5/24}\n  - {name: b, mac: \"52:54:00:00:00:01\", address: 10.1.1.5/24}\n",
	} {
		_, err := parse("hosts.yaml", []byte(head+hosts), secrets)
		if err == nil || strings.Contains(err.Error(), "has it too") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	full := "  - {name: a, mac: \"52:54:00:00:00:01\", address: 10.1.1.5/24, target: \"iqn.2007-01.com.example:a\"}\n  - {name: b, mac: \"52:54:00:00:00:02\", address: 10.1.1.5/24, target: \"iqn.2007-01.com.example:b\"}\n"
	if _, err := parse("hosts.yaml", []byte(head+full), secrets); err == nil || strings.Count(err.Error(), "has it too") != 1 {
		t.Errorf("one address for two: %v", err)
	}
}

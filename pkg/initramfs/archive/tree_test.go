package archive

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, image string) *Tree {
	t.Helper()
	tree, err := Read([]byte(image), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

const end = "TRAILER!!!"

// lost returns the names of the entries that nothing is made of.
func lost(t *Tree) []string {
	var out []string
	for _, o := range t.Odd {
		if o.Lost {
			out = append(out, o.Name)
		}
	}
	return out
}

// A later segment replaces what an earlier one holds, through links as the kernel goes through
// them, and what it cannot place it leaves out.
func TestLaterReplaces(t *testing.T) {
	tree := read(t, record("usr", 0o040755, 2, "")+record("usr/bin", 0o040755, 2, "")+record("bin", 0o120777, 1, "usr/bin")+
		record("init", 0o120777, 1, "/usr/bin/systemd")+record("usr/bin/sh", 0o100755, 1, "old")+record(end, 0, 0, "")+
		record("init", 0o100755, 1, "ours")+record("bin/sh", 0o100755, 1, "new")+record("none/x", 0o100644, 1, "lost")+
		record("usr", 0o100644, 1, "a directory with something in it stays")+record("../../up", 0o100644, 1, "up")+record(".", 0o040755, 2, "")+
		record(end, 0, 0, ""))
	want := map[string]string{"usr": "", "usr/bin": "", "bin": "usr/bin", "init": "ours", "usr/bin/sh": "new", "up": "up"}
	if diff := cmp.Diff(want, contents(tree)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"none/x", "usr"}, lost(tree)); diff != "" {
		t.Errorf("lost, -want +got:\n%s", diff)
	}
	if n, err := tree.Follow("/bin/sh"); err != nil || string(n.Data()) != "new" {
		t.Errorf("%v, %v", n, err)
	}
}

func TestLinks(t *testing.T) {
	tree := read(t, record("a", 0o120777, 1, "b")+record("b", 0o120777, 1, "a")+record("d", 0o120777, 1, "/d/e")+record("f", 0o100644, 1, "")+record(end, 0, 0, ""))
	if _, err := tree.Follow("a"); !errors.Is(err, ErrLoop) {
		t.Errorf("a circle: %v", err)
	}
	for _, name := range []string{"d/x", "f/x", "none"} {
		if _, err := tree.Follow(name); err == nil {
			t.Errorf("%s is found", name)
		}
	}
	if n, ok := tree.Lookup("/"); !ok || !n.IsDir() {
		t.Errorf("the root: %v", n)
	}
}

// Names of one file share what stands with the last of them, as cpio writes it, or with the first.
func TestHardLinks(t *testing.T) {
	tree := read(t, record("a", 0o100644, 2, "")+record("b", 0o100644, 2, "text")+record("c", 0o100644, 2, "")+record(end, 0, 0, "")+
		record("d", 0o100644, 2, "other")+record(end, 0, 0, "")) // the next archive counts from the beginning
	for name, want := range map[string]string{"a": "text", "b": "text", "c": "text"} {
		if n, _ := tree.Lookup(name); n == nil || string(n.Data()) != want {
			t.Errorf("%s: %v", name, n)
		}
	}
}

func TestFS(t *testing.T) {
	tree, err := Read(load(t, "zstd"), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	// A link that leads to a file is that file here, which fstest.TestFS does not expect of a
	// name that ReadDir calls a link.
	sub, err := fs.Sub(tree, "etc")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(sub, "hello", "hard", "numbers"); err != nil {
		t.Error(err)
	}
	if data, err := fs.ReadFile(tree, "dev/link"); err != nil || string(data) != "hello\n" {
		t.Errorf("%q, %v", data, err)
	}
	for name, want := range map[string]fs.FileMode{
		"dev": 0o755 | fs.ModeDir, "dev/null": 0o644 | fs.ModeDevice | fs.ModeCharDevice, "etc/numbers": 0o640,
	} {
		if st, err := fs.Stat(tree, name); err != nil || st.Mode() != want || st.Sys() == nil {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if _, err := tree.Open("../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := tree.Open("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFileMode(t *testing.T) {
	for mode, want := range map[uint32]fs.FileMode{
		0o104755: 0o755 | fs.ModeSetuid, 0o102755: 0o755 | fs.ModeSetgid, 0o041777: 0o777 | fs.ModeSticky | fs.ModeDir,
		0o060600: 0o600 | fs.ModeDevice, 0o010600: 0o600 | fs.ModeNamedPipe, 0o140600: 0o600 | fs.ModeSocket,
		0o120777: 0o777 | fs.ModeSymlink, 0o000644: 0o644 | fs.ModeIrregular,
	} {
		if got := (Entry{Mode: mode}).FileMode(); got != want {
			t.Errorf("%#o: %v, want %v", mode, got, want)
		}
	}
}

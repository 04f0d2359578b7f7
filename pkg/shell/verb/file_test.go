package verb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// want checks a file without following a link: its type and permissions as ls -l shows them, and
// its content or target.
func want(t *testing.T, name, mode, text string) {
	t.Helper()
	st, err := os.Lstat(name)
	if err != nil {
		t.Error(err)
		return
	}
	var got string
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		got, err = os.Readlink(name)
	case st.Mode().IsRegular():
		var b []byte
		b, err = os.ReadFile(name)
		got = string(b)
	}
	if st.Mode().String() != mode || got != text || err != nil {
		t.Errorf("%s is %s %q, want %s %q (error %v)", name, st.Mode(), got, mode, text, err)
	}
}

// missing checks that a file does not exist.
func missing(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (error %v)", name, err)
	}
}

// A copy has the content and the permissions; an existing file is replaced as a whole. A link is
// followed, unless directories are copied.
func TestCopy(t *testing.T) {
	dir := tree(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(unix.Mkfifo(at("b/pipe"), 0o600), os.Symlink("in", at("b/link")), os.Chmod(at("b/in"), 0o700)); err != nil {
		t.Fatal(err)
	}
	does(t, dir, "cp a2 x")
	want(t, at("x"), "-rwxr-xr-x", "Two words\n\n")
	does(t, dir, "cp a1 long")
	does(t, dir, "cp b/in/deep long") // shorter
	want(t, at("long"), "-rw-r-----", "deep\n")
	does(t, dir, "cp link y")
	want(t, at("y"), "-rw-r-----", "one\ntwo\nthree")
	does(t, dir, "cp -a b c")
	want(t, at("c/in"), "drwx------", "")
	want(t, at("c/in/deep"), "-rw-r--r--", "deep\n")
	want(t, at("c/link"), "Lrwxrwxrwx", "in")
	want(t, at("c/pipe"), "prw-------", "")
	does(t, dir, "cp -a b c") // inside of it, for it is there
	want(t, at("c/b/in/deep"), "-rw-r--r--", "deep\n")
	want(t, at("a2"), "-rwxr-xr-x", "Two words\n\n")
	fails(t, dir, "cp none a1 c", fs.ErrNotExist)
	want(t, at("c/a1"), "-rw-r-----", "one\ntwo\nthree") // nevertheless
}

// To another file system a tree is copied and then removed; if the copy fails nothing is removed.
func TestMoveElsewhere(t *testing.T) {
	inNamespaces(t, func(dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		does(t, dir, "mount -t tmpfs -o size=64k none fs")
		does(t, dir, "mkdir -p d/in")
		big := strings.Repeat("x", 256<<10)
		if err := errors.Join(
			os.WriteFile(at("d/in/file"), []byte("text"), 0o640), os.Symlink("file", at("d/in/link")), os.WriteFile(at("big"), []byte(big), 0o600),
		); err != nil {
			t.Fatal(err)
		}
		does(t, dir, "mv d fs")
		want(t, at("fs/d/in/file"), "-rw-r-----", "text")
		want(t, at("fs/d/in/link"), "Lrwxrwxrwx", "file")
		missing(t, at("d"))
		fails(t, dir, "mv big fs", unix.ENOSPC)
		want(t, at("big"), "-rw-------", big)
		does(t, dir, "mv fs/d/in/file fs/renamed")
		want(t, at("fs/renamed"), "-rw-r-----", "text")
		does(t, dir, "umount fs")
	})
}

// Several sources, directories as targets, and errors.
func TestMove(t *testing.T) {
	dir := tree(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	does(t, dir, "mv a1 a2") // replaces it
	want(t, at("a2"), "-rw-r-----", "one\ntwo\nthree")
	missing(t, at("a1"))
	fails(t, dir, "mv none a2 b", fs.ErrNotExist)
	want(t, at("b/a2"), "-rw-r-----", "one\ntwo\nthree") // the others are moved nevertheless
	does(t, dir, "mv link b/in")
	want(t, at("b/in/link"), "Lrwxrwxrwx", "a1")
}

// rm removes a link and not its target, and -f ignores only missing files.
func TestRemove(t *testing.T) {
	dir := tree(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Symlink("b", at("todir")); err != nil {
		t.Fatal(err)
	}
	does(t, dir, "rm todir")
	missing(t, at("todir"))
	want(t, at("b/in/deep"), "-rw-r--r--", "deep\n")
	does(t, dir, "rm link")
	want(t, at("a1"), "-rw-r-----", "one\ntwo\nthree")
	fails(t, dir, "rm none a1", fs.ErrNotExist)
	missing(t, at("a1")) // nevertheless
	if _, err := run(t, dir, "", "rm", "-f", "b"); err == nil {
		t.Error("rm -f removes a directory")
	}
	does(t, dir, "rm -rf b none")
	missing(t, at("b"))
	if _, err := run(t, "/", "", "rm", "-r", "usr/.."); err == nil || err.Error() != "/ cannot be removed" {
		t.Errorf("rm of / by another name: %v", err)
	}
}

// touch makes an empty file, and changes only the times of one that exists.
func TestTouch(t *testing.T) {
	dir := tree(t)
	old := time.Unix(1000, 0)
	name := filepath.Join(dir, "a1")
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	does(t, dir, "touch a1 new")
	want(t, name, "-rw-r-----", "one\ntwo\nthree")
	want(t, filepath.Join(dir, "new"), "-rw-r--r--", "")
	if st, err := os.Stat(name); err != nil || !st.ModTime().After(old) {
		t.Errorf("the time is still %v, %v", st.ModTime(), err)
	}
	fails(t, dir, "touch none/x", fs.ErrNotExist)
}

// mkdir makes one level, -p all, even if some exist.
func TestMakeDirectories(t *testing.T) {
	dir := tree(t)
	does(t, dir, "mkdir n")
	want(t, filepath.Join(dir, "n"), "drwxr-xr-x", "")
	fails(t, dir, "mkdir m/o", fs.ErrNotExist)
	does(t, dir, "mkdir -p m/o b/in")
	want(t, filepath.Join(dir, "m/o"), "drwxr-xr-x", "")
	want(t, filepath.Join(dir, "b/in/deep"), "-rw-r--r--", "deep\n")
	fails(t, dir, "mkdir -p a1/x", unix.ENOTDIR)
}

// ln -s writes its target unchanged, -f replaces a name, and without it an existing name is an
// error.
func TestLink(t *testing.T) {
	dir := tree(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	does(t, dir, "ln -s ../any/where s")
	want(t, at("s"), "Lrwxrwxrwx", "../any/where")
	fails(t, dir, "ln -s x a1", fs.ErrExist)
	want(t, at("a1"), "-rw-r-----", "one\ntwo\nthree")
	does(t, dir, "ln -sf x s")
	want(t, at("s"), "Lrwxrwxrwx", "x")
	does(t, dir, "ln a1 hard")
	if err := os.WriteFile(at("hard"), []byte("both"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, at("hard"), "-rw-r-----", "both")
	want(t, at("a1"), "-rw-r-----", "both")
}

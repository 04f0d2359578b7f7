package kmod

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestReadRefuses(t *testing.T) {
	many := strings.Builder{}
	for i := range maxModules + 1 {
		many.WriteString(strings.Repeat("m", 1+i%7) + string(rune('a'+i%26)))
		many.WriteString(strings.Map(func(r rune) rune { return r - '0' + 'a' }, itoa(i)) + ".ko:\n")
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no modules.dep", map[string]string{aliasFile: ""}, "read modules.dep: open modules.dep: file does not exist"},
		{"no colon", map[string]string{depFile: "# x\n\nkernel/a.ko\n"}, "read modules.dep: line 3: no colon after the path of a module"},
		{"outside", map[string]string{depFile: "a.ko:\n../b.ko:\n"}, `read modules.dep: line 2: "../b.ko" is not a path of a module inside the tree`},
		{"absolute", map[string]string{depFile: "/lib/b.ko:\n"}, `read modules.dep: line 1: "/lib/b.ko" is not a path of a module inside the tree`},
		{"blank in path", map[string]string{depFile: "a b.ko:\n"}, `read modules.dep: line 1: "a b.ko" is not a path of a module inside the tree`},
		{"no name", map[string]string{depFile: "kernel/.ko:\n"}, `read modules.dep: line 1: "kernel/.ko" is not a path of a module inside the tree`},
		{"long line", map[string]string{depFile: "", softdepFile: "\n" + strings.Repeat("x", maxLine+1)}, "read modules.softdep: line 2: longer than 65536 bytes"},
		{"long file", map[string]string{depFile: strings.Repeat("\n", maxFile+1)}, "read modules.dep: longer than 33554432 bytes"},
		{"many modules", map[string]string{depFile: many.String()}, "read modules.dep: line 65537: more than 65536 modules"},
	} {
		_, err := Read(tree(c.files))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if _, err := Read(tree(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no modules.dep: %v is not fs.ErrNotExist", err)
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + itoa(i%10)
}

// failing is a file system whose one file fails while it is read.
type failing struct{ fs.FS }

func (f failing) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	return failingFile{file}, err
}

type failingFile struct{ fs.File }

func (failingFile) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadError(t *testing.T) {
	_, err := Read(failing{fstest.MapFS{depFile: {Data: []byte("a.ko:\n")}}})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
}

// Lines that modprobe ignores too.
func TestReadTolerates(t *testing.T) {
	x, err := Read(tree(map[string]string{
		depFile:            "a.ko:\nextra/a.ko: a.ko\nb.ko.zst: a.ko\n",
		aliasFile:          "options a x=1\nalias\nalias  x\nalias two a\nalias odd pattern b\n",
		softdepFile:        "softdep\nsoftdep b\nsoftdep b early pre: none post: pre: a\nblah b pre: c\n",
		builtinFile:        "\n.ko\n",
		builtinModinfoFile: "garbage\x00.alias=x\x00c.alias=\x00c.parm=d.alias=e\x00c.alias=last",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"two": "a.ko\n", "odd pattern": "a.ko\nb.ko.zst\n", "last": ""} {
		mods, err := x.Plan(name)
		if err != nil || paths(mods) != want {
			t.Errorf("%s: %q, %v", name, paths(mods), err)
		}
	}
	if _, ok := x.Resolve("d"); ok {
		t.Error("a parameter was parsed as an alias")
	}
}

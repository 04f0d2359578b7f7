package kmod

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seedFiles are the files that seed FuzzRead; a missing one fails the target.
func seedFiles(t testing.TB) [5][]byte {
	t.Helper()
	var out [5][]byte
	for i, name := range []string{depFile, aliasFile, softdepFile, builtinFile, builtinModinfoFile} {
		data, err := os.ReadFile("testdata/debian/" + name)
		if err != nil || len(data) == 0 {
			t.Fatalf("seed %s: %d bytes, %v", name, len(data), err)
		}
		out[i] = data
	}
	return out
}

func TestSeedsExist(t *testing.T) { seedFiles(t) }

// FuzzRead: every index that is read can be planned, matched and written, and is read back the
// same.
func FuzzRead(f *testing.F) {
	s := seedFiles(f)
	f.Add(s[0], s[1], s[2], s[3], s[4], "fs-ext4")
	f.Add([]byte("a.ko: b.ko\nb.ko: a.ko\n"), []byte("alias * a\nalias [!b-c]?\\* b"), []byte("softdep a post: a"), []byte("b.ko"), []byte("b.alias=x-*\x00"), "x-1")
	f.Add([]byte("a-b.ko.gz:"), []byte("alias x  a-b"), []byte("softdep a-b pre: pre: post:"), []byte("/"), []byte("..alias=."), "a_b")
	f.Fuzz(func(t *testing.T, dep, alias, soft, builtin, modinfo []byte, name string) {
		x, err := Read(tree(map[string]string{
			depFile: string(dep), aliasFile: string(alias), softdepFile: string(soft),
			builtinFile: string(builtin), builtinModinfoFile: string(modinfo),
		}))
		if err != nil {
			return
		}
		x.Match(name)
		_, _ = x.Plan(name)
		for _, m := range x.Modules() {
			if mods, err := x.Plan(m.Name); err == nil && len(mods) == 0 {
				t.Errorf("plan of %v is empty", m)
			}
		}
		sub := x.Subset(x.Modules(), nil)
		if diff := cmp.Diff(sub.Files(), reread(t, sub).Files()); diff != "" {
			t.Errorf("round trip (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	fsys := os.DirFS("testdata/debian")
	for b.Loop() {
		if _, err := Read(fsys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	x := debian(b)
	for b.Loop() {
		x.Match("pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00")
	}
}

package linkfile

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// text writes f as a file.
func text(f *File) string {
	var b strings.Builder
	b.WriteString("[Match]\n")
	for _, key := range slices.Sorted(maps.Keys(f.Match)) {
		for _, word := range f.Match[key] {
			plain, inverted := strings.CutPrefix(word, "!")
			b.WriteString(key + "=")
			if inverted {
				b.WriteString("!")
			}
			b.WriteString(quoted(plain) + "\n")
		}
	}
	b.WriteString("[Link]\nName=" + f.Name + "\nNamePolicy=" + strings.Join(f.Policies, " ") + "\n")
	for _, what := range f.Undone {
		if section, key, ok := strings.Cut(what, "] "); ok && (section == "[Match" || section == "[Link") {
			b.WriteString(section + "]\n" + key + "random\n")
		} else {
			b.WriteString(what + "\nx=y\n")
		}
	}
	return b.String()
}

// quoted writes a word with quotes and escapes.
func quoted(word string) string {
	var out string
	for _, r := range word {
		if r == '"' {
			out += `'"'`
		} else {
			out += `"` + string(r) + `"`
		}
	}
	return out
}

// FuzzParse: what was read of a file, written again, is read as the same.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("testdata/root/*/*/*/*.link")
	more, _ := filepath.Glob("testdata/root/*/*/*/*/*.link")
	if err != nil || len(seeds) != 4 || len(more) != 2 {
		f.Fatal(seeds, more, err)
	}
	for _, name := range append(seeds, more...) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("[Match]\nDriver=! a 'b\" c'\\\n;x\n d\nHost=x\n[Link\nName=a\n[SR-IOV]\nx=\n")
	f.Fuzz(func(t *testing.T, in string) {
		want := Parse("x", in)
		if want.Name != "" && !isName(want.Name) {
			t.Errorf("name %q", want.Name)
		}
		if slices.ContainsFunc(want.Undone, func(u string) bool { return strings.Count(u, "[") > 1 || !strings.Contains(u, "=") }) {
			return // text cannot write a section's name inside of a value
		}
		got := Parse("x", text(want))
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(File{}, "Wrong"), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		Of([]*File{want}, NIC{Driver: "a", OriginalName: "eth0"})
	})
}

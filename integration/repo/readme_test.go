package repo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// The README is for a first boot: what is longer belongs into the manual.
const (
	maxREADME     = 200 // lines
	maxREADMELine = 160 // columns
)

func TestREADMELength(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if c := utf8.RuneCountInString(strings.TrimRight(line, "\n")); c > maxREADMELine {
			t.Errorf("README.md:%d has %d columns, more than %d", n, c, maxREADMELine)
		}
	}
	if n > maxREADME || n < 50 {
		t.Errorf("README.md has %d lines, at most %d are allowed: move what is not for a first boot into pkg/manual/pages", n, maxREADME)
	}
}

// The README leads to every written page of the manual, and to no other file that does not exist.
func TestREADMELinks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]bool{}
	for part := range strings.SplitSeq(string(text), "](") {
		link, _, ok := strings.Cut(part, ")")
		if _, err := os.Stat(filepath.Join(root, link)); ok && strings.HasPrefix(link, "pkg/") {
			links[link] = true
			if err != nil {
				t.Errorf("README.md: link: %v", err)
			}
		}
	}
	for name := range manualSources(t) {
		if !links["pkg/manual/pages/"+name] {
			t.Errorf("README.md has no link to pkg/manual/pages/%s", name)
		}
	}
}

package repo_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// commentWidth is at which column a comment of its own lines wraps. A tab is eight columns.
const (
	commentWidth = 100
	tabWidth     = 8
)

// ownLine is a line of a comment with nothing before it, and with text that can be wrapped: no
// table, no code, no directive.
var ownLine = regexp.MustCompile(`^(\t*)// (\S+ \S.*)$`)

// Comments have one width everywhere.
func TestCommentWidth(t *testing.T) {
	files := goFiles(t)
	for _, name := range sorted(files) {
		for _, found := range tooWide(name, string(files[name])) {
			t.Error(found)
		}
	}
}

// tooWide returns the lines of comments that are wider, each as "file:line: columns".
func tooWide(name, text string) []string {
	var out []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		m := ownLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || strings.Contains(m[2], "  ") {
			continue
		}
		if width := len(m[1])*tabWidth + len("// ") + utf8.RuneCountInString(m[2]); width > commentWidth {
			out = append(out, fmt.Sprintf("%s:%d: a comment of %d columns, limit %d", name, n, width, commentWidth))
		}
	}
	return out
}

func TestTooWide(t *testing.T) {
	long := strings.Repeat("word ", 19) // 95 columns
	for text, want := range map[string]int{
		"// " + long + "w\n":                            0,
		"// " + long + "words\n":                        1,
		"\t// " + long + "w\n":                          1,
		"\tx() // " + long + "words\n":                  0, // behind code
		"//\t" + long + "words\n":                       0, // code in a doc comment
		"// " + strings.Repeat("w", 120) + "\n":         0, // nothing to wrap at
		"// a  " + strings.Repeat("column ", 20) + "\n": 0, // a table
	} {
		if got := tooWide("a.go", text); len(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

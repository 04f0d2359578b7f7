package manual

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed pages/*.md
var files embed.FS

// Page is one page of the manual.
type Page struct {
	Name    string // such as iscsiroot-agent
	Section string // of the manual: 7 is for what things are, 8 for commands
	Summary string // one line, without a full stop
	blocks  []block
}

// Pages lists the pages in the order of their names.
func Pages() ([]Page, error) {
	entries, err := files.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	var out []Page
	for _, e := range entries {
		text, err := files.ReadFile(path.Join("pages", e.Name()))
		if err != nil {
			return nil, err
		}
		page, err := Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("manual %s: %w", e.Name(), err)
		}
		out = append(out, page)
	}
	slices.SortFunc(out, func(a, b Page) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Title is how the manual names the page: iscsiroot-agent(8).
func (p Page) Title() string { return p.Name + "(" + p.Section + ")" }

var titleLine = regexp.MustCompile(`^# ([a-z0-9-]+)\(([1-9])\): (.+)$`)

// Parse reads the source of a page, in the form that the package's comment describes. It fails if
// the first line is no title.
func Parse(source string) (Page, error) {
	first, rest, _ := strings.Cut(source, "\n")
	m := titleLine.FindStringSubmatch(first)
	if m == nil {
		return Page{}, fmt.Errorf("line 1: %q is not # NAME(SECTION): SUMMARY", first)
	}
	return Page{Name: m[1], Section: m[2], Summary: m[3], blocks: blocks(rest)}, nil
}

package repo_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

var update = flag.Bool("update", false, "write the table of parameters into README.md")

// The README's table of parameters stands between these lines.
const (
	tableBegin = "<!-- parameters -->\n"
	tableEnd   = "<!-- /parameters -->\n"
)

func TestREADMEParameters(t *testing.T) {
	path := filepath.Join(root, "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), tableBegin)
	got, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("README.md has no lines %q and %q for the table of parameters", tableBegin, tableEnd)
	}
	want := parameterTable(bootspec.Table())
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md does not list the parameters as bootspec.Table does: run go test ./integration/repo -run README -update\n-want +got:\n%s", diff)
	}
}

// parameterTable writes the parameters as a table in Markdown.
func parameterTable(rows []bootspec.Parameter) string {
	var b strings.Builder
	b.WriteString("| parameter | or | what it does |\n|---|---|---|\n")
	for _, p := range rows {
		word, alias := p.Key, ""
		if optional, ok := strings.CutPrefix(p.Value, "["); ok {
			word += "[=" + optional
		} else if p.Value != "" {
			word += "=" + p.Value
		}
		if p.Alias != "" {
			alias = "`" + p.Alias + "`"
		}
		b.WriteString("| `" + cell(word) + "` | " + alias + " | " + cell(p.Help) + " |\n")
	}
	return b.String()
}

// cell keeps a bar from ending a cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

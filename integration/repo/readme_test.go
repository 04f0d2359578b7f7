package repo_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/integration/failures"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

var update = flag.Bool("update", false, "write the tables into README.md")

// The README has tables that are made from the code's.
func TestREADMETables(t *testing.T) {
	path := filepath.Join(root, "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, want := range map[string]string{
		"parameters": parameterTable(bootspec.Table()),
		"failures":   failureTable(failures.Cases()),
	} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
		before, rest, ok := strings.Cut(text, begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("README.md has no lines %q and %q", begin, end)
		}
		if diff := cmp.Diff(want, got); diff != "" && !*update {
			t.Errorf("README.md has another table of %s than the code: run go test ./integration/repo -run README -update\n-want +got:\n%s", name, diff)
		}
		text = before + begin + want + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// failureTable writes the ways to fail as a table in Markdown.
func failureTable(cases []failures.Case) string {
	var b strings.Builder
	b.WriteString("| what you see | hint | then |\n|---|---|---|\n")
	for _, c := range cases {
		then := "ends"
		if c.Heals {
			then = "tries again"
		}
		b.WriteString("| `" + cell(c.Screen) + "` | " + cell(c.Hint) + " | " + then + " |\n")
	}
	return b.String()
}

// parameterTable writes the parameters as a table in Markdown.
func parameterTable(rows []bootspec.Parameter) string {
	var b strings.Builder
	b.WriteString("| parameter | or | what it does |\n|---|---|---|\n")
	for _, p := range rows {
		word := p.Key
		if optional, ok := strings.CutPrefix(p.Value, "["); ok {
			word += "[=" + optional
		} else if p.Value != "" {
			word += "=" + p.Value
		}
		var aliases []string
		for _, a := range p.Aliases {
			aliases = append(aliases, "`"+a+"`")
		}
		b.WriteString("| `" + cell(word) + "` | " + strings.Join(aliases, ", ") + " | " + cell(p.Help) + " |\n")
	}
	return b.String()
}

// cell keeps a bar from ending a cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

var testName = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)")

// Each test that the README names is there.
func TestREADMENamesTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources := ""
	for _, pattern := range []string{"integration/*_test.go", "pkg/*/*_test.go", "pkg/*/*/*_test.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources += string(b)
		}
	}
	named := testName.FindAllStringSubmatch(string(text), -1)
	if len(named) < 50 {
		t.Errorf("the README names %d tests", len(named))
	}
	for _, m := range named {
		if !strings.Contains(sources, "func "+m[1]+"(") {
			t.Errorf("the README names the test %s, which is not there", m[1])
		}
	}
}

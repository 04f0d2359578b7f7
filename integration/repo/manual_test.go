package repo_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/integration/failures"
	"github.com/iscsiroot/iscsiroot/pkg/boot"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

var update = flag.Bool("update", false, "write the parts of pkg/manual/pages that are made from the code's tables")

// manualDir has the sources of the manual, package manual.
const manualDir = "pkg/manual/pages"

// manualSources reads the sources by their names.
func manualSources(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, manualDir, "*.md"))
	if err != nil || len(names) < 8 {
		t.Fatalf("%d pages in %s: %v", len(names), manualDir, err)
	}
	out := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(b)
	}
	return out
}

// part is a part of a page that is made from a table: a line <!-- NAME ARGUMENTS -->, what is made,
// and a line <!-- /NAME -->.
var part = regexp.MustCompile(`(?ms)^<!-- ([a-z]+)((?: [^\n]+)?) -->\n(.*?)^<!-- /([a-z]+) -->\n`)

// makers make the parts by the names of their tables. Each takes the keys of rows, or with no key
// makes the whole table; it lists the keys that a page must have somewhere.
func makers(t *testing.T) map[string]maker {
	return map[string]maker{
		"parameters": parameterMaker(bootspec.Table()),
		"failures":   failureMaker(failures.Cases()),
		"steps":      stepMaker(new(boot.Machine)),
		"verbs":      verbMaker(shellHelp(t)),
	}
}

// maker makes a part of a page. An unknown key makes "".
type maker struct {
	keys  []string // of the rows that the manual must have, each once
	row   func(key string) string
	words bool // the arguments are one key, not several
}

// The parts of the manual that come from tables are what the code has, and each row of a table
// stands in exactly one place.
func TestManualTables(t *testing.T) {
	all := makers(t)
	seen := map[string]map[string]int{}
	for name := range all {
		seen[name] = map[string]int{}
	}
	for file, text := range manualSources(t) {
		now := part.ReplaceAllStringFunc(text, func(old string) string {
			m := part.FindStringSubmatch(old)
			maker, ok := all[m[1]]
			if !ok {
				return old // for another test
			}
			keys := strings.Fields(m[2])
			if maker.words {
				keys = []string{strings.TrimSpace(m[2])}
			}
			out := "<!-- " + m[1] + m[2] + " -->\n"
			for _, key := range keys {
				made := maker.row(key)
				if made == "" {
					t.Errorf("%s: %s: the table has no row %q", file, m[1], key)
				}
				seen[m[1]][key]++
				out += made
			}
			return out + "<!-- /" + m[4] + " -->\n"
		})
		if diff := cmp.Diff(now, text); diff != "" && !*update {
			t.Errorf("%s/%s is not what the code has: run go test ./integration/repo -run Manual -update\n-want +got:\n%s", manualDir, file, diff)
		}
		if *update && now != text {
			if err := os.WriteFile(filepath.Join(root, manualDir, file), []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, maker := range all {
		for _, key := range maker.keys {
			if n := seen[name][key]; n != 1 {
				t.Errorf("the manual has %q of the table %s %d times: add it to one <!-- %s ... --> in %s", key, name, n, name, manualDir)
			}
		}
	}
}

var testName = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)")

// Each test that the manual names exists.
func TestTestNamesInManual(t *testing.T) {
	sources := ""
	for name, text := range goFiles(t) {
		if strings.HasSuffix(name, "_test.go") {
			sources += string(text)
		}
	}
	var named []string
	for _, text := range manualSources(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			named = append(named, m[1])
		}
	}
	if len(named) < 50 {
		t.Errorf("the manual names %d tests: this test looks at nothing", len(named))
	}
	slices.Sort(named)
	for _, name := range slices.Compact(named) {
		if !strings.Contains(sources, "func "+name+"(") {
			t.Errorf("the manual names the test %s, which is not there", name)
		}
	}
}

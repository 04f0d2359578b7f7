package repo_test

import (
	"go/ast"
	"path"
	"strconv"
	"strings"
	"testing"
)

// What is below /run/iscsiroot, and what the agent's processes are called, is known to one package:
// the others use its names, and its readers.
func TestRunStateNames(t *testing.T) {
	const owner = "pkg/runstate"
	found := false
	for dir, files := range source(t) {
		top, _, _ := strings.Cut(dir, "/")
		if top != "pkg" && top != "cmd" {
			continue
		}
		for _, name := range sorted(files) {
			if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/") {
				continue
			}
			for _, text := range literals(files[name]) {
				if !ofRunState(text) {
					continue
				}
				if dir == owner {
					found = true
				} else {
					t.Errorf("%s: %q: use %s", name, text, path.Base(owner))
				}
			}
		}
	}
	if !found {
		t.Errorf("%s holds no such name: this test looks at nothing", owner)
	}
}

// ofRunState reports whether a text is a path there, or a name of the agent's.
func ofRunState(text string) bool {
	return strings.Contains(text, "/run/iscsiroot") || strings.Contains(text, "@iscsiroot") || strings.HasPrefix(text, "iscsiroot/")
}

// literals are the strings of a file, but for its imports.
func literals(file *ast.File) []string {
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if _, ok := n.(*ast.ImportSpec); ok {
			return false
		}
		if lit, ok := n.(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

package repo_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"
)

// maxLines is how long a file may be before it is two: it is a house rule, and a longer file is
// about more than one thing. It does not require small files: what belongs together stays together
// below it.
const maxLines = 400

func TestFileLength(t *testing.T) {
	files := goFiles(t)
	if len(files) < 100 {
		t.Fatalf("found %d Go files: is this the repository?", len(files))
	}
	for _, name := range sorted(files) {
		if n := bytes.Count(files[name], []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it", name, n, maxLines)
		}
	}
}

// source parses the Go files of each directory.
func source(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	out := map[string]map[string]*ast.File{}
	for name, text := range goFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(name)
		if out[dir] == nil {
			out[dir] = map[string]*ast.File{}
		}
		out[dir][name] = file
	}
	return out
}

// Every package has one package comment. A directory of tests alone has it in one of them.
func TestPackageComments(t *testing.T) {
	dirs := source(t)
	for _, dir := range sorted(dirs) {
		var with []string
		var name, text string
		code := false
		for _, path := range sorted(dirs[dir]) {
			code = code || !strings.HasSuffix(path, "_test.go")
		}
		for _, path := range sorted(dirs[dir]) {
			file := dirs[dir][path]
			if code && strings.HasSuffix(path, "_test.go") {
				continue
			}
			name = file.Name.Name
			if file.Doc != nil && strings.TrimSpace(file.Doc.Text()) != "" {
				with, text = append(with, path), file.Doc.Text()
			}
		}
		want := "package " + name + " "
		if name == "main" { // both ways are usual
			want = path.Base(dir) + " "
			text = strings.TrimPrefix(text, "Command ")
		}
		switch {
		case len(with) == 0:
			t.Errorf("package %s has no package comment", dir)
		case len(with) > 1:
			t.Errorf("package %s has more than one package comment: %s", dir, strings.Join(with, ", "))
		case !strings.HasPrefix(strings.ToLower(strings.ReplaceAll(text, "\n", " ")), want):
			t.Errorf("%s: the package comment begins with %.30q, want %q", with[0], text, want)
		}
	}
}

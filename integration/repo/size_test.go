package repo_test

import (
	"go/scanner"
	"go/token"
	"path"
	"strings"
	"testing"
)

// maxCode is how many lines of code a package of ring 2 may have: blank lines, comments and tests
// are not counted. One that grows beyond it is about more than one thing.
const maxCode = 2500

func TestRing2Size(t *testing.T) {
	count := map[string]int{}
	for name, text := range goFiles(t) {
		if !strings.HasSuffix(name, "_test.go") {
			count[path.Dir(name)] += codeLines(text)
		}
	}
	for _, pkg := range order {
		if n := count[pkg]; n > maxCode {
			t.Errorf("%s has %d lines of code, more than %d: split it", pkg, n, maxCode)
		}
	}
}

// codeLines counts the lines with something else than blanks and comments.
func codeLines(text []byte) int {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0) // comments are skipped
	lines := map[int]bool{}
	for {
		pos, what, literal := s.Scan()
		if what == token.EOF {
			return len(lines)
		}
		if what == token.SEMICOLON && literal == "\n" {
			continue // the scanner's own
		}
		first := file.Line(pos)
		for i := range strings.Count(literal, "\n") + 1 { // a raw string has many
			lines[first+i] = true
		}
	}
}

func TestCodeLines(t *testing.T) {
	const text = "// Package a is.\npackage a\n\n/* one\ntwo */\nvar b = `x\n\ny` // c\n\nfunc f() {\n\t// nothing\n}\n"
	if n := codeLines([]byte(text)); n != 6 {
		t.Errorf("%d lines of code, want 6", n)
	}
}

package repo_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ending matches a comment that names what ends a goroutine, or what waits for it.
var ending = regexp.MustCompile(`(?i)\b(ends?|ended|until|returns?|waits?|waited|as long as|while|closes?|closed)\b`)

// What cannot be read off the code stands beside it: what a mutex guards, what ends a goroutine,
// and why a time is as long as it is.
func TestComments(t *testing.T) {
	files := goFiles(t)
	looked := map[string]int{}
	for _, name := range sorted(files) {
		if strings.HasSuffix(name, "_test.go") || !within(name, "pkg") && !within(name, "cmd") {
			continue
		}
		for _, found := range uncommented(t, name, files[name], looked) {
			t.Error(found)
		}
	}
	for _, kind := range []string{"mutex", "goroutine", "time"} {
		if looked[kind] < 20 {
			t.Errorf("checked %d of kind %s only: does this test find any?", looked[kind], kind)
		}
	}
}

// uncommented returns the declarations of a file without their comment, each as "file:line: what".
// It counts in looked what it has checked, by kind.
func uncommented(t *testing.T, name string, text []byte, looked map[string]int) []string {
	t.Helper()
	c := commentFinder{set: token.NewFileSet(), looked: looked}
	file, err := parser.ParseFile(c.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	c.imports, c.comments = importNames(file), file.Comments
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.goroutines(d)
		case *ast.GenDecl:
			c.times(d)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructType); ok {
			c.mutexes(s)
		}
		return true
	})
	return c.found
}

type commentFinder struct {
	set      *token.FileSet
	imports  map[string]string
	comments []*ast.CommentGroup
	looked   map[string]int
	found    []string
}

// want counts a declaration of a kind, and reports it if its comment is missing.
func (c *commentFinder) want(ok bool, kind string, at ast.Node, what string) {
	c.looked[kind]++
	if !ok {
		c.found = append(c.found, fmt.Sprintf("%s: %s", c.set.Position(at.Pos()), what))
	}
}

// mutexes checks the fields of a struct.
func (c *commentFinder) mutexes(s *ast.StructType) {
	for _, f := range s.Fields.List {
		sel, ok := f.Type.(*ast.SelectorExpr)
		if !ok || c.imports[fmt.Sprint(sel.X)] != "sync" || !strings.HasSuffix(sel.Sel.Name, "Mutex") {
			continue
		}
		c.want(f.Doc != nil || f.Comment != nil, "mutex", f, "a mutex without a comment: say what it guards, and which lock may be taken under it")
	}
}

// times checks a declaration of constants or variables outside of functions.
func (c *commentFinder) times(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok || !slices.ContainsFunc(v.Values, c.isTime) {
			continue
		}
		group := d.Doc != nil && (len(d.Specs) == 1 || strings.Contains(d.Doc.Text(), v.Names[0].Name))
		c.want(group || v.Doc != nil || v.Comment != nil, "time", v, "a time without a comment: say what it is for, and why it is no other")
	}
}

// isTime reports whether an expression is a number of time's units.
func (c *commentFinder) isTime(e ast.Expr) bool {
	if b, ok := e.(*ast.BinaryExpr); ok {
		return c.isTime(b.X) || c.isTime(b.Y)
	}
	sel, ok := e.(*ast.SelectorExpr)
	return ok && c.imports[fmt.Sprint(sel.X)] == "time" && slices.Contains([]string{"Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"}, sel.Sel.Name)
}

// goroutines checks the go statements of a function. The comment of the function or of the
// statement may name the end.
func (c *commentFinder) goroutines(f *ast.FuncDecl) {
	named := f.Doc != nil && ending.MatchString(f.Doc.Text())
	ast.Inspect(f, func(n ast.Node) bool {
		if c.starts(n) {
			c.want(named || c.hasEnding(n), "goroutine", n, "a goroutine without an end: name in the comment of the function, or at the start, what ends it")
		}
		return true
	})
}

// starts reports whether a node starts a goroutine that no WaitGroup waits for.
func (c *commentFinder) starts(n ast.Node) bool {
	if _, ok := n.(*ast.GoStmt); ok {
		return true
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Go" && c.imports[fmt.Sprint(sel.X)] == containPath
}

// hasEnding reports whether a comment at a node, or right above it, names an end.
func (c *commentFinder) hasEnding(n ast.Node) bool {
	line := c.set.Position(n.Pos()).Line
	return slices.ContainsFunc(c.comments, func(g *ast.CommentGroup) bool {
		end := c.set.Position(g.End()).Line
		return (end == line || end == line-1) && ending.MatchString(g.Text())
	})
}

// The finder reports the wrong lines of an example, and no others.
func TestUncommented(t *testing.T) {
	got := uncommented(t, "x.go", []byte(`package x
import (
	"sync"
	"time"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
)
type s struct {
	mu sync.Mutex
	rw sync.RWMutex // guards n
	// other guards n.
	other sync.Mutex
	wg sync.WaitGroup
}
const short = time.Second
const long = time.Minute // why
// Times of things: first is why.
const (
	first  = 3 * time.Second
	second = 3 * time.Second
	third  = 3
)
func a() {
	go a()
	// Until the end.
	go a()
	contain.Go("a", a, nil)
	contain.Go("a", a, nil) // it ends with a
	var wg sync.WaitGroup
	wg.Go(a)
}
// b starts what ends with a.
func b() { go a() }
`), map[string]int{})
	var lines []string
	for _, one := range got {
		lines = append(lines, strings.Split(one, ":")[1])
	}
	if want := []string{"14", "19", "23", "26", "8"}; !slices.Equal(slices.Sorted(slices.Values(lines)), want) {
		t.Errorf("found %q, want lines %q", got, want)
	}
}

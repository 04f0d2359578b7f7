package repo_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	containPath = module + "/pkg/contain"
	netlinkPath = "github.com/vishvananda/netlink"
)

// subscribes matches what starts a goroutine in package netlink (v1.3.1): a panic in it, over a
// message that it does not understand, would end PID 1, and some of them block without end in a
// channel that is no longer read. Sets of addresses, devlink and FOU are read through
// nl.ParseAttributes, which is such a goroutine too.
var subscribes = regexp.MustCompile(`Subscribe(At|WithOptions)?$|Monitor$|^ParseAttributes$|^Ipset|Dev[Ll]ink|^Fou`)

// Every goroutine of what PID 1 links is started through pkg/contain, which makes a panic in it an
// error: the end of PID 1 is the end of the kernel. That holds for go statements, for WaitGroup.Go
// and the like, and for the callbacks of time.AfterFunc and context.AfterFunc, which run in
// goroutines too.
//
// What a library starts by itself is out of reach. These libraries do, of what init links:
//   - the standard library: net (the resolver, a dial's race), os/signal, os/exec. They pass our calls on and parse DNS answers.
//   - vishvananda/netlink: every subscription. This test refuses them (see subscribes).
//   - klauspost/compress/zstd, klauspost/pgzip, pierrec/lz4, through kmodule.CompressionReader: they unpack modules that the
//     kernel does not, and read the image, not the network.
//   - u-root's kmodule.Probe by x/sync/errgroup, u-root/uio by a callback that logs: nothing of ours calls them.
//   - mvdan.cc/sh/v3/interp: pipes and background commands. The shell is a process of its own.
func TestGoroutines(t *testing.T) {
	looked := 0
	for pkg, files := range linkedFiles(t) {
		if pkg == "pkg/contain" {
			continue
		}
		for name, text := range files {
			looked++
			for _, found := range bareGoroutines(t, name, text) {
				t.Errorf("%s: start it through pkg/contain, and say what a panic in it becomes", found)
			}
		}
	}
	if looked < 100 {
		t.Errorf("looked at %d files only: does cmd/init link nothing?", looked)
	}
}

// linkedFiles returns the module's Go files that make up cmd/init on linux, by package and path
// from the root.
func linkedFiles(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	all := goFiles(t)
	out := map[string]map[string][]byte{}
	for line := range strings.Lines(goCommand(t, nil, "list", "-deps", "-f", `{{.ImportPath}} {{join .GoFiles " "}}`, "./cmd/init")) {
		f := strings.Fields(line)
		pkg, inModule := strings.CutPrefix(f[0], module+"/")
		if !inModule {
			continue
		}
		out[pkg] = map[string][]byte{}
		for _, file := range f[1:] {
			name := path.Join(pkg, file)
			out[pkg][name] = all[name]
		}
	}
	return out
}

// bareGoroutines returns the places in a file that start a goroutine without pkg/contain, each as
// "file:line: what".
func bareGoroutines(t *testing.T, name string, text []byte) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	b := bareFinder{imports: importNames(file), called: map[ast.Node]bool{}}
	ast.Inspect(file, func(n ast.Node) bool {
		if what := b.look(n); what != "" {
			b.found = append(b.found, fmt.Sprintf("%s: %s", set.Position(n.Pos()), what))
		}
		return true
	})
	return b.found
}

// importNames returns the paths of a file's imports by the name that each has in it.
func importNames(file *ast.File) map[string]string {
	out := map[string]string{}
	for _, spec := range file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value) // the parser has read it
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[name] = p
	}
	return out
}

type bareFinder struct {
	imports map[string]string
	called  map[ast.Node]bool // functions of calls that look has visited
	found   []string
}

// look describes the error in one node; mostly there is none.
func (b *bareFinder) look(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.CallExpr:
		b.called[n.Fun] = true
		pkg, f := b.selected(n.Fun)
		switch {
		case isAfterFunc(pkg, f):
			if len(n.Args) != 2 || !b.isContained(n.Args[1]) {
				return path.Base(pkg) + ".AfterFunc of a function that is not a contain.Func"
			}
		case f == "Go" && pkg != containPath && (len(n.Args) != 1 || !b.isContained(n.Args[0])):
			return "Go of a function that is not a contain.Func"
		}
	case *ast.SelectorExpr:
		pkg, f := b.selected(n)
		switch {
		case isAfterFunc(pkg, f) && !b.called[n]:
			return path.Base(pkg) + ".AfterFunc as a value"
		case (pkg == netlinkPath || pkg == netlinkPath+"/nl" && f == "ParseAttributes") && subscribes.MatchString(f):
			return path.Base(pkg) + "." + f + ", which starts a goroutine of the library's"
		}
	}
	return ""
}

func isAfterFunc(pkg, f string) bool { return (pkg == "time" || pkg == "context") && f == "AfterFunc" }

// isContained reports whether an expression is a call of contain.Func.
func (b *bareFinder) isContained(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	pkg, f := b.selected(call.Fun)
	return pkg == containPath && f == "Func"
}

// selected returns what X.f is: the path of the package X, empty if X is a value, and f.
func (b *bareFinder) selected(e ast.Expr) (pkg, f string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := sel.X.(*ast.Ident); ok {
		pkg = b.imports[x.Name]
	}
	return pkg, sel.Sel.Name
}

// The finder reports the wrong lines of an example, and no others.
func TestBareGoroutines(t *testing.T) {
	got := bareGoroutines(t, "x.go", []byte(`package x
import (
	"context"
	"sync"
	later "time"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/vishvananda/netlink"
)
func f(ctx context.Context, all *sync.WaitGroup, s struct{ wg sync.WaitGroup }) {
	go f(ctx, all, s)
	contain.Go("a", func() { all.Go(func() {}) }, nil)
	all.Go(contain.Func("b", func() {}, nil))
	s.wg.Go(func() { later.AfterFunc(1, contain.Func("c", func() {}, nil)) })
	later.AfterFunc(1, func() {})
	defer context.AfterFunc(ctx, contain.Func("d", func() {}, nil))()
	defer context.AfterFunc(ctx, func() {})()
	after := later.AfterFunc
	after(1, func() {})
	_ = netlink.LinkSubscribe(nil, nil)
	_ = netlink.AddrSubscribeWithOptions
	_, _ = netlink.LinkList()
}
`))
	var lines []string
	for _, one := range got {
		lines = append(lines, strings.Split(one, ":")[1])
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	if want := []string{"10", "11", "13", "14", "16", "17", "19", "20"}; !slices.Equal(lines, want) {
		t.Errorf("found %q, want lines %q", got, want)
	}
}

package repo_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsers are the packages that read bytes from outside of the program, and whose bytes they are.
var parsers = map[string]string{
	"pkg/blockdev":          "a disk's",
	"pkg/bootspec":          "the command line's",
	"pkg/cmdline":           "the command line's",
	"pkg/dm":                "the kernel's",
	"pkg/dm/table":          "the kernel's",
	"pkg/glob":              "an image's",
	"pkg/handover":          "a root file system's",
	"pkg/ibft":              "a firmware's",
	"pkg/initramfs/archive": "an image's",
	"pkg/initramfs/efi":     "a stub's",
	"pkg/iscsi":             "a target's",
	"pkg/iscsi/kernel":      "the kernel's",
	"pkg/kmod":              "an image's",
	"pkg/lab":               "QEMU's",
	"pkg/lab/deps":          "a distribution's",
	"pkg/lvm":               "a disk's",
	"pkg/md":                "a disk's",
	"pkg/md/array":          "the kernel's",
	"pkg/multipath":         "a target's",
	"pkg/network/dhcp":      "a server's",
	"pkg/network/dhcp4":     "a server's",
	"pkg/network/dhcp6":     "a server's, and a router's",
	"pkg/network/linkfile":  "an image's",
	"pkg/network/rtwatch":   "the kernel's",
	"pkg/recovery":          "the kernel's",
	"pkg/recovery/agent":    "another process's",
	"pkg/recovery/uplink":   "the kernel's",
	"pkg/runstate":          "a file's in /run",
	"pkg/session":           "another process's",
	"pkg/netboot":           "an administrator's",
	"pkg/shutdown":          "the kernel's",
	"pkg/switchroot":        "a root file system's",
	"pkg/uevent":            "the kernel's",
}

// Every parser has a fuzzer, and every fuzzer has seeds: it calls Add in its body with more than
// empty values, or has a corpus. No test can check whether they are real input; the fuzzers' own
// comments and testdata name their sources.
func TestFuzzersHaveSeeds(t *testing.T) {
	dirs := source(t)
	for _, dir := range sorted(parsers) {
		if len(fuzzers(dirs[dir])) == 0 {
			t.Errorf("package %s reads bytes, %s, and has no fuzz function", dir, parsers[dir])
		}
	}
	for _, dir := range sorted(dirs) {
		for _, f := range fuzzers(dirs[dir]) {
			corpus, err := os.ReadDir(filepath.Join(root, dir, "testdata/fuzz", f.Name.Name))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if !addsSeeds(f) && len(corpus) == 0 {
				t.Errorf("%s in %s has no seeds: add real bytes with f.Add, or files below testdata/fuzz/%s", f.Name.Name, dir, f.Name.Name)
			}
		}
	}
}

// fuzzers returns the fuzz functions of a package.
func fuzzers(files map[string]*ast.File) []*ast.FuncDecl {
	var out []*ast.FuncDecl
	for _, path := range sorted(files) {
		for _, d := range files[path].Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && strings.HasSuffix(path, "_test.go") && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") {
				out = append(out, f)
			}
		}
	}
	return out
}

// addsSeeds reports whether a fuzz function calls its argument's Add with a value that is not
// empty.
func addsSeeds(f *ast.FuncDecl) bool {
	params := f.Type.Params.List
	if len(params) != 1 || len(params[0].Names) != 1 {
		return false
	}
	found := false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Add" {
			x, ok := sel.X.(*ast.Ident)
			found = found || ok && x.Name == params[0].Names[0].Name && !slices.ContainsFunc(call.Args, isEmpty)
		}
		return true
	})
	return found
}

// isEmpty reports whether an expression is a value of nothing: "", nil, []byte{}, []byte("").
func isEmpty(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value == `""` || e.Value == "``"
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	case *ast.CallExpr:
		return len(e.Args) == 1 && isEmpty(e.Args[0])
	}
	return false
}

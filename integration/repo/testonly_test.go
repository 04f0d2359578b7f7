package repo_test

import (
	"slices"
	"strings"
	"testing"
)

// testOnly are packages for tests and for trying things out, which are no API for others. What only
// packages below pkg import is below pkg/internal, where the go command refuses others ("go help
// packages", internal directories). What integration, cmd and scripts import as well cannot be
// there.
var testOnly = []string{
	"pkg/ibft/ibfttest",
	"pkg/internal/lioguest",
	"pkg/internal/liospec",
	"pkg/internal/newctest",
	"pkg/internal/nstest",
	"pkg/internal/steptest",
	"pkg/internal/unitcheck",
	"pkg/internal/vmtest",
	"pkg/iscsi/iscsitest",
	"pkg/iscsi/kernel/kerneltest",
	"pkg/internal/efitest",
	"pkg/kmod/kmodtest",
	"pkg/lab",
	"pkg/lab/deps",
	"pkg/lab/faultproxy",
	"pkg/lab/images",
	"pkg/lab/targets",
	"pkg/lab/volumes",
}

// mayTest reports whether a package's code may import those.
func mayTest(pkg string) bool {
	return slices.Contains(testOnly, pkg) || pkg == "pkg/trial" || within(pkg, "integration") || within(pkg, "scripts")
}

// Nothing of the product needs them but pkg/trial, which boots machines in QEMU.
func TestTestOnlyImports(t *testing.T) {
	all := imports(t)
	for _, pkg := range sorted(all) {
		for _, imported := range all[pkg] {
			if slices.Contains(testOnly, imported) && !mayTest(pkg) {
				t.Errorf("%s imports %s, which is for tests: only tests, integration, scripts and pkg/trial may", pkg, imported)
			}
		}
		for _, top := range []string{"pkg/internal", "pkg/lab"} {
			if within(pkg, top) && !slices.Contains(testOnly, pkg) {
				t.Errorf("package %s is for tests: add it to testOnly in testonly_test.go", pkg)
			}
		}
		if strings.HasSuffix(pkg, "test") && within(pkg, "pkg") && !slices.Contains(testOnly, pkg) {
			t.Errorf("package %s is for tests by its name: add it to testOnly in testonly_test.go", pkg)
		}
	}
}

// Every package that could be below pkg/internal is: each of the others is imported from outside of
// pkg, if only by a test.
func TestInternalPackages(t *testing.T) {
	outside := map[string]bool{}
	text := goCommand(t, nil, "list", "-f", `{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`, "./...")
	for line := range strings.Lines(strings.ReplaceAll(text, module+"/", "")) {
		f := strings.Fields(line)
		for _, imported := range f[1:] {
			if !within(f[0], "pkg") {
				outside[imported] = true
			}
		}
	}
	for _, pkg := range testOnly {
		if !within(pkg, "pkg/internal") && !outside[pkg] {
			t.Errorf("only packages below pkg import %s: move it below pkg/internal", pkg)
		}
	}
}

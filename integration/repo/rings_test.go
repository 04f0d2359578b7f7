package repo_test

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rings lists which packages are in ring 0, pure values, and in ring 1, one kernel facility each.
// Those of ring 2, composition, stand in order_test.go; ring 3 is what a person runs, outside of
// pkg. No package imports outward, and in ring 1 none imports a sibling.
var rings = map[string]int{
	"pkg": 0, // its doc.go is the map of all

	"pkg/bootspec":          0,
	"pkg/cmdline":           0,
	"pkg/contain":           0,
	"pkg/dm/table":          0,
	"pkg/fstypes":           0,
	"pkg/glob":              0,
	"pkg/procstat":          0,
	"pkg/regular":           0,
	"pkg/words":             0,
	"pkg/ibft":              0,
	"pkg/ibft/ibfttest":     0,
	"pkg/initramfs/archive": 0,
	"pkg/initramfs/efi":     0,
	"pkg/iscsi":             0,
	"pkg/kmod/kmodtest":     0,
	"pkg/kmod":              0,
	"pkg/lvm":               0,
	"pkg/manual":            0,
	"pkg/md":                0,
	"pkg/mounts":            0,
	"pkg/multipath":         0,
	"pkg/network/dhcp":      0,
	"pkg/network/linkfile":  0,
	"pkg/runstate":          0,
	"pkg/shell/crypt":       0,

	"pkg/blockdev":                1,
	"pkg/clock":                   1,
	"pkg/dm":                      1,
	"pkg/handover":                1,
	"pkg/iscsi/iscsitest":         1,
	"pkg/iscsi/kernel":            1,
	"pkg/iscsi/kernel/kerneltest": 1,
	"pkg/iscsi/portal":            1,
	"pkg/kmsg":                    1,
	"pkg/md/array":                1,
	"pkg/modload":                 1,
	"pkg/network":                 1,
	"pkg/network/dhcp4":           1,
	"pkg/network/dhcp6":           1,
	"pkg/network/dns":             1,
	"pkg/network/rtwatch":         1,
	"pkg/switchroot":              1,
	"pkg/udevdb":                  1,
	"pkg/uevent":                  1,
}

// ringOf returns a package's ring; none if it is of another module or in no ring.
func ringOf(pkg string) (ring int, ok bool) {
	for _, top := range []string{"cmd", "integration", "scripts"} {
		if within(pkg, top) {
			return 3, true
		}
	}
	if slices.Contains(order, pkg) {
		return 2, true
	}
	ring, ok = rings[pkg]
	return ring, ok
}

// within reports whether a package is another one or stands below it.
func within(pkg, other string) bool { return pkg == other || strings.HasPrefix(pkg, other+"/") }

// imports lists the imports of each package of the module without tests; those of the module
// without its name.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	text := goCommand(t, nil, "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	for line := range strings.Lines(strings.ReplaceAll(text, module+"/", "")) {
		if f := strings.Fields(line); len(f) > 0 {
			out[f[0]] = f[1:]
		}
	}
	return out
}

func TestRings(t *testing.T) {
	all := imports(t)
	for _, pkg := range sorted(all) {
		ring, ok := ringOf(pkg)
		if !ok {
			t.Errorf("package %s has no ring: add it to the table in rings_test.go, or if it composes others to the order in order_test.go", pkg)
			continue
		}
		for _, imported := range all[pkg] {
			other, inModule := ringOf(imported)
			family := within(pkg, imported) || within(imported, pkg)
			sibling := inModule && ring == 1 && other == 1 && !family
			switch {
			case !inModule:
			case other > ring:
				t.Errorf("%s (ring %d) imports %s (ring %d): an arrow points inward only: pass in what it needs", pkg, ring, imported, other)
			case sibling:
				t.Errorf("%s imports its sibling %s: ring 1 packages stand alone: let ring 2 pass in what it needs", pkg, imported)
			case other == 3:
				t.Errorf("%s imports %s, which is a program", pkg, imported)
			}
		}
	}
	for _, pkg := range sorted(rings) {
		if _, ok := all[pkg]; !ok {
			t.Errorf("package %s does not exist: remove it from the table in rings_test.go", pkg)
		}
		if rings[pkg] > 1 {
			t.Errorf("package %s is of ring %d: it belongs to the order in order_test.go", pkg, rings[pkg])
		}
	}
}

// never lists which package may not import which, directly or not, in any ring. Those below a
// package are included.
var never = []struct{ pkg, imported, why string }{
	{"pkg/recovery/agent", "pkg/boot", "the agent that outlives the boot carries none of it"},
	{"pkg/shutdown", "pkg/boot", "what ends the machine carries nothing of its boot"},
	{"cmd/init", "pkg/initramfs", "it is the host's side"},
	{"cmd/init", "pkg/netboot", "it is the host's side"},
	{"cmd/init", "pkg/lab", "it is the host's side"},
	{"cmd/init", "pkg/internal", "it is for tests"},
	{"cmd/iscsiroot", "pkg/boot", "it is the machine's side"},
}

func TestNeverImports(t *testing.T) {
	all := imports(t)
	for _, rule := range never {
		for _, pkg := range sorted(all) {
			if !within(pkg, rule.pkg) {
				continue
			}
			if path := importPath(all, pkg, rule.imported, map[string]bool{}); path != "" {
				t.Errorf("%s: %s may not import %s: %s", path, rule.pkg, rule.imported, rule.why)
			}
		}
	}
	if importPath(all, "cmd/init", "pkg/cmdline", map[string]bool{}) == "" {
		t.Error("cmd/init does not seem to import pkg/cmdline: this test looks at nothing")
	}
}

// importPath returns how one package imports another or one below that, "a -> b -> c"; empty if it
// does not.
func importPath(all map[string][]string, pkg, wanted string, seen map[string]bool) string {
	if within(pkg, wanted) {
		return pkg
	}
	if seen[pkg] {
		return ""
	}
	seen[pkg] = true
	for _, imported := range all[pkg] {
		if path := importPath(all, imported, wanted, seen); path != "" {
			return pkg + " -> " + path
		}
	}
	return ""
}

// touching is what makes a package depend on more than its arguments.
var touching = []string{"os", "os/exec", "os/signal", "syscall", "net", "golang.org/x/sys/unix", "math/rand", "math/rand/v2", "crypto/rand"}

// Pure values need no kernel: they build for any, and make no system call.
func TestRing0IsPure(t *testing.T) {
	all := imports(t)
	var pure []string
	for _, pkg := range sorted(rings) {
		if rings[pkg] != 0 {
			continue
		}
		pure = append(pure, "./"+pkg)
		for _, imported := range all[pkg] {
			for _, bad := range touching {
				// A challenge of CHAP that could be guessed would be worse than
				// impure.
				if imported == bad && (pkg != "pkg/iscsi" || bad != "crypto/rand") {
					t.Errorf("%s imports %s: ring 0 makes no system calls: pass in what it needs", pkg, bad)
				}
			}
		}
	}
	for _, goos := range []string{"darwin", "windows", "plan9"} {
		goCommand(t, []string{"GOOS=" + goos}, append([]string{"build"}, pure...)...)
	}
}

// Nor do they read a clock.
func TestRing0HasNoClock(t *testing.T) {
	for file, text := range goFiles(t) {
		ring, inModule := ringOf(path.Dir(file))
		if !inModule || ring != 0 || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, call := range []string{"time.Now(", "time.Since(", "time.Until(", "time.After(", "time.AfterFunc(", "time.NewTimer(", "time.NewTicker(", "time.Sleep("} {
			if strings.Contains(string(text), call) {
				t.Errorf("%s calls %s): ring 0 has no clock: pass the time in", file, call)
			}
		}
	}
}

// The initiator's engine can be taken from here for another program: it needs nothing but Go and
// pkg/contain, which needs nothing but Go.
func TestISCSIStandsAlone(t *testing.T) {
	all := imports(t)
	for _, pkg := range []string{"pkg/iscsi", "pkg/contain"} {
		for _, imported := range all[pkg] {
			first, _, _ := strings.Cut(imported, "/")
			other := strings.Contains(first, ".") || first == "pkg" || first == "cmd"
			if other && !(pkg == "pkg/iscsi" && imported == "pkg/contain") {
				t.Errorf("%s imports %s: use the standard library alone", pkg, imported)
			}
		}
	}
}

// minISCSI is how much of pkg/iscsi its own unit tests run, in percent of statements. They run 99
// percent today; most of what is left is for what cannot come about.
const minISCSI = 97.0

// The package that reads a target's bytes is tested by itself, without a kernel and without the
// tests of its users. It is the one package with such a number, because a target chooses every
// branch of it. The go command must be run: the count exists only in a test binary that it builds,
// and it keeps the result for as long as the package is the same.
func TestISCSICoverage(t *testing.T) {
	text := goCommand(t, nil, "test", "-cover", "./pkg/iscsi")
	_, after, _ := strings.Cut(text, "coverage: ")
	number, _, _ := strings.Cut(after, "%")
	if covered, err := strconv.ParseFloat(number, 64); err != nil || covered < minISCSI {
		t.Errorf("the unit tests of pkg/iscsi run %q percent of it, less than %v: %v\n%s", number, minISCSI, err, text)
	}
}

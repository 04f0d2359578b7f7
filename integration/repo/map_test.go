package repo_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var mapName = regexp.MustCompile(`\b(?:pkg|cmd|integration|scripts)/[a-z0-9_/]+(?:\.go)?`)

// pkg/doc.go leads a newcomer to packages and files by name: they exist, and no package of rings 0
// to 2 is missing but those below one that it names.
func TestPackageMap(t *testing.T) {
	text := string(goFiles(t)["pkg/doc.go"])
	named := mapName.FindAllString(text, -1)
	if len(named) < 50 {
		t.Fatalf("pkg/doc.go names %d packages and files: this test looks at nothing", len(named))
	}
	for _, name := range named {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("pkg/doc.go names %s: %v", name, err)
		}
	}
	for _, pkg := range slices.Concat(sorted(rings), order) {
		if !slices.ContainsFunc(named, func(name string) bool { return !strings.HasSuffix(name, ".go") && within(pkg, name) }) && pkg != "pkg" {
			t.Errorf("pkg/doc.go does not name %s", pkg)
		}
	}
}

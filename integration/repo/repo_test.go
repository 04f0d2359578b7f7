// Package repo_test guards what no compiler checks in this repository: what init links, which
// package may import which, comments, sizes, the README, the manual's tables, fuzzers and the size
// of the image. It boots nothing.
//
// The go command keeps the result of a test until a file that the test has opened changes; goFiles
// opens every one, so a kept result is never old.
package repo_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/iscsiroot/iscsiroot"
	root   = "../.."
)

// goCommand runs the go command in the repository's root, for the release's system and processor
// unless env changes that, and returns its output.
func goCommand(t *testing.T, env []string, args ...string) string {
	t.Helper()
	goFiles(t)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	cmd.Env = append(cmd.Env, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s go %s: %v\n%s", strings.Join(env, " "), strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}

// goFiles reads every Go file of the repository, by its path from the root. What git ignores, such
// as bin, is skipped by name.
func goFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"go.mod", "go.sum"} {
		if _, err := os.ReadFile(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(rel, ".go") {
			return nil
		}
		files[rel], err = os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's temporary file
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sorted returns the keys of a map in order, so that failures come in order.
func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// The release for the other machine builds, and its code is vetted as well.
func TestARM64(t *testing.T) {
	goCommand(t, []string{"GOARCH=arm64"}, "build", "./cmd/init", "./cmd/iscsiroot")
	goCommand(t, []string{"GOARCH=arm64"}, "vet", "./cmd/...", "./pkg/...")
}

// goBuild builds a program as the Makefile does.
func goBuild(ctx context.Context, t *testing.T, output, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "./scripts/gobuild.sh", "-o", output, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

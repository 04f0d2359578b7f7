package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// copySource copies the files of this repository that git does not ignore.
func copySource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-ec", "git ls-files -z -c -o --exclude-standard | tar -c --null -T - | tar -x -C "+dir)
	command.Dir = ".."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("copy the repository: %v\n%s", err, out)
	}
	return dir
}

// makePackage runs make in a directory and returns the package.
func makePackage(t *testing.T, dir, what string, environ ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", "-s", what)
	command.Dir = dir
	command.Env = append(os.Environ(), environ...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", what, err, out)
	}
	name, _, _ := strings.Cut(string(out), ": ")
	return filepath.Join(dir, name)
}

// inDebian runs the commands in a copy of a Debian root, with directories mounted in it: at maps
// sources to targets. It has an empty network namespace. The first command that fails ends it.
func inDebian(ctx context.Context, t *testing.T, kind, commands string, at map[string]string) (string, error) {
	t.Helper()
	tree, err := images.DebianRoot(kind)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "testdata/chroot.sh", tree, t.TempDir()}
	for source, target := range at {
		args = append(args, source, target)
	}
	command := exec.CommandContext(ctx, "unshare", args...)
	command.Stdin = strings.NewReader("set -e\n" + commands)
	out, err := command.CombinedOutput()
	return string(out), err
}

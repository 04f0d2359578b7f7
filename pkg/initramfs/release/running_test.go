package release

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The running kernel is this one's; on a system without /proc, such as darwin, the user has to name
// one.
func TestRunningRelease(t *testing.T) {
	proc := t.TempDir()
	const want = "give --kernel-version, and --root with its modules"
	if release, err := Running(proc); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("without a kernel: %q, %v", release, err)
	}
	if err := os.MkdirAll(filepath.Join(proc, "sys/kernel"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(proc, "sys/kernel/osrelease"), []byte("6.1.0-9-amd64\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if release, err := Running(proc); err != nil || release != "6.1.0-9-amd64" {
		t.Errorf("got %q, %v", release, err)
	}
}

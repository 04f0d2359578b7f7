package boot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
)

// fileLog returns the boot's logger with files instead of the kernel's, and a function that reads
// what it has written.
func fileLog(t *testing.T) (*kmsg.Logger, func() string) {
	t.Helper()
	dir := t.TempDir()
	paths := kmsg.Paths{Kmsg: filepath.Join(dir, "kmsg"), Consoles: filepath.Join(dir, "consoles")}
	for path, text := range map[string]string{paths.Kmsg: "", paths.Consoles: "ttyS0\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := kmsg.Open(paths)
	t.Cleanup(func() { _ = log.Close() })
	return log, func() string {
		b, err := os.ReadFile(paths.Kmsg)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

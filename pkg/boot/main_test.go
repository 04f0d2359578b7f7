package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
)

// recorder is a sequence.Logger whose lines can be looked at.
type recorder struct {
	mu   sync.Mutex
	text []string
}

func (r *recorder) add(level, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, level+" "+fmt.Sprintf(format, args...))
}

func (r *recorder) Errorf(format string, args ...any) { r.add("error", format, args...) }
func (r *recorder) Warnf(format string, args ...any)  { r.add("warning", format, args...) }
func (r *recorder) Infof(format string, args ...any)  { r.add("info", format, args...) }
func (r *recorder) Debugf(format string, args ...any) { r.add("debug", format, args...) }

// lines returns what was logged, without the debug lines.
func (r *recorder) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, l := range r.text {
		if !strings.HasPrefix(l, "debug ") {
			out = append(out, l)
		}
	}
	return out
}

// fileLog returns the boot's own logger with files instead of the kernel's, and
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

func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

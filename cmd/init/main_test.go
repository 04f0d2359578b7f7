package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/shell"
)

// asInit makes the test's program be init.
const asInit = "ISCSIROOT_TEST_AS_INIT"

func TestMain(m *testing.M) {
	if os.Getenv(asInit) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The file does different work by the name it is called by, wherever the name is a link to, and
// does not boot a machine that runs.
func TestNames(t *testing.T) {
	tests := []struct {
		name, argv, input, says string
		status                  int
	}{
		{"init of a running machine", "/init", "", "runs as process 1 only", 1},
		{"any other name", "iscsiroot-init", "", "runs as process 1 only", 1},
		{"modprobe", "/sbin/modprobe --frobnicate x", "", `unknown option "--frobnicate"`, 1},
		{"shell, left", shell.Name, "echo hello; exit\n", "hello", 0},
		{"shell, end of input", shell.Name, "echo hello", "hello", 0},
		{"shell, help", shell.Name, "help\n", "steps ", 0},
		{"shell, unknown", shell.Name, "frobnicate\n", "frobnicate: no such command: try help", 0},
		{"shell without PID 1", shell.Name, "steps\n", "steps: not connected to process 1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Args = strings.Fields(tt.argv)
			cmd.Env = append(os.Environ(), asInit+"=1", "GORACE=atexit_sleep_ms=0")
			cmd.Stdin = strings.NewReader(tt.input)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(string(out), tt.says) {
				t.Errorf("status %d, want %d; output %q, want %q in it", got, tt.status, out, tt.says)
			}
		})
	}
}

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

// The file does different work by the name it is called by, wherever the name
// is a link to, and does not boot a machine that runs.
func TestNames(t *testing.T) {
	tests := []struct {
		name, argv, input, says string
		status                  int
	}{
		{"init of a running machine", "/init", "", "runs as process 1 only", 1},
		{"any other name", "iscsiroot-init", "", "runs as process 1 only", 1},
		{"modprobe", "/sbin/modprobe --frobnicate x", "", `unknown option "--frobnicate"`, 1},
		{"shell, left", shell.Name, "exit\n", "iscsiroot> ", 0},
		{"shell, end of input", shell.Name, "", "iscsiroot> ", 0},
		{"shell, reboot", shell.Name, "help\nreboot\n", "reboot the machine", shell.ExitReboot},
		{"shell, poweroff", shell.Name, "frobnicate\npoweroff\n", "no such command: try help", shell.ExitPowerOff},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Args = strings.Fields(tt.argv)
			cmd.Env = append(os.Environ(), asInit+"=1")
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

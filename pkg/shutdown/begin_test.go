package shutdown

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Typed by hand the program ends nothing; as process 1 it always ends the machine; with the word
// for the mark it writes that and does nothing else.
func TestBegin(t *testing.T) {
	for _, tt := range []struct {
		name, runlevel string
		args           []string
		pid            int
		action         runstate.Action
		status         int
		mark           bool
	}{
		{"by hand", "", []string{"shutdown"}, 4711, "", 1, false},
		{"by hand, with shutdown(8)'s words", "", []string{"shutdown", "-h", "now"}, 4711, "", 1, false},
		{"by hand in runlevel 5", "5", []string{"shutdown"}, 4711, "", 1, false},
		{"by an init's script", "0", []string{"shutdown"}, 4711, runstate.PowerOff, 0, false},
		{"by an init's script, with the action", "", []string{"shutdown", "leave"}, 4711, Leave, 0, false},
		{"process 1 without an action", "", []string{"shutdown", "exit"}, 1, runstate.Reboot, 0, false},
		{"process 1", "", []string{"shutdown", "halt"}, 1, runstate.Halt, 0, false},
		{"the mark", "", []string{"shutdown", runstate.BegunArgument, "poweroff", "60"}, 4711, "", 0, true},
		{"the mark in runlevel 6", "6", []string{"shutdown", runstate.BegunArgument, "reboot", "60"}, 4711, "", 0, true},
		{"what a mark holds, without its word", "", []string{"shutdown", "poweroff", "60"}, 4711, runstate.PowerOff, 0, false},
	} {
		mark := filepath.Join(t.TempDir(), "mark")
		action, status := begin(tt.args, tt.runlevel, tt.pid, mark)
		if action != tt.action || status != tt.status {
			t.Errorf("%s: %q, status %d, want %q, %d", tt.name, action, status, tt.action, tt.status)
		}
		if _, err := os.Stat(mark); (err == nil) != tt.mark {
			t.Errorf("%s: the mark: %v", tt.name, err)
		}
	}
	if _, status := begin([]string{runstate.BegunArgument, "poweroff", "60"}, "", 4711, filepath.Join(t.TempDir(), "none/mark")); status == 0 {
		t.Error("a mark that cannot be written is a success")
	}
}

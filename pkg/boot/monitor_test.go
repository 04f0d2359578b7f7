package boot

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The monitor is not our first thread, whose timers do not change.
func TestCalmMonitor(t *testing.T) {
	monitor := monitorThread("/proc")
	if monitor == "" || monitor == strconv.Itoa(os.Getpid()) {
		t.Fatalf("the monitor is thread %q of process %d", monitor, os.Getpid())
	}
	slack := func(thread string) string {
		text, err := os.ReadFile(filepath.Join("/proc", thread, "timerslack_ns"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	before := slack(strconv.Itoa(os.Getpid()))
	calmMonitor("/proc")
	if got := slack(monitor); got != "4000000" {
		t.Errorf("the monitor's slack is %s ns", got)
	}
	if got := slack(strconv.Itoa(os.Getpid())); got != before {
		t.Errorf("our first thread's slack is %s ns now", got)
	}
	calmMonitor(t.TempDir()) // without procfs
}

package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The thread that slowMonitor changes is the runtime's monitor, and no other one changes. In a
// process of its own, as in PID 1, see playMonitor.
func TestSlowMonitor(t *testing.T) {
	playIn(t, "monitor")
	slowMonitor(t.TempDir()) // without procfs all stays as it is
}

// playMonitor checks what slowMonitor assumes of the runtime (last read in Go 1.26,
// runtime/proc.go: main, sysmon): that its monitor is the oldest thread beside the first, and that
// only it sleeps by nanosleep(2) while a goroutine is busy. Idle threads wait in futex(2) or
// epoll_pwait(2).
func playMonitor() error {
	monitor, own := monitorThread("/proc"), strconv.Itoa(os.Getpid())
	if monitor == "" || monitor == own {
		return fmt.Errorf("the monitor is thread %q of process %s", monitor, own)
	}
	before := slack(own)
	slowMonitor("/proc")
	if got := slack(monitor); got != strconv.FormatInt(monitorSlack.Nanoseconds(), 10) {
		return fmt.Errorf("the monitor's slack is %s ns", got)
	}
	if got := slack(own); got != before {
		return fmt.Errorf("the first thread's slack is %s ns now, %s ns before", got, before)
	}
	const enough, most = 10, 1 << 20
	asleep := 0
	for range most { // busy
		for _, thread := range sleepers() {
			if thread != monitor {
				return fmt.Errorf("thread %s sleeps by nanosleep, the monitor was taken for %s: has runtime.sysmon changed?", thread, monitor)
			}
			if asleep++; asleep == enough {
				return nil
			}
		}
	}
	return fmt.Errorf("thread %s, taken for the monitor, was asleep %d times in %d: has runtime.sysmon changed?", monitor, asleep, most)
}

// sleepers are this process's threads that are in nanosleep(2).
func sleepers() []string {
	paths, _ := filepath.Glob("/proc/self/task/*/syscall") // the pattern is good
	var out []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		number, _, _ := strings.Cut(string(text), " ")
		if err == nil && number == strconv.Itoa(unix.SYS_NANOSLEEP) {
			out = append(out, filepath.Base(filepath.Dir(path)))
		}
	}
	return out
}

// slack is a thread's timer slack in ns.
func slack(thread string) string {
	text, err := os.ReadFile(filepath.Join("/proc", thread, "timerslack_ns"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

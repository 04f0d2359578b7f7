package boot

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// monitorSlack is by how much the runtime's monitor may sleep longer than it asks for. Threads that
// it starts inherit it (kernel/fork.c: copy_process), so it is short enough for all timers of this
// program.
const monitorSlack = 4 * time.Millisecond

// slowMonitor keeps the Go runtime's monitor thread from waking up every 70 microseconds while
// modules are being loaded (runtime/proc.go: sysmon sleeps for 20, and the kernel adds its usual
// slack of 50). It looks for goroutines that wait behind a long system call, of which a boot has
// hundreds, and on a machine with one processor that takes a tenth of the boot. proc is where
// procfs is mounted; without it all stays as it is.
func slowMonitor(proc string) {
	if thread := monitorThread(proc); thread != "" {
		path := filepath.Join(proc, thread, "timerslack_ns")
		_ = os.WriteFile(path, strconv.AppendInt(nil, monitorSlack.Nanoseconds(), 10), 0)
	}
}

// monitorThread returns the id of this process's second thread: the runtime starts its monitor
// before any other (runtime/proc.go: main). Were it another one, its timers would be late by as
// much.
func monitorThread(proc string) string {
	threads, err := os.ReadDir(filepath.Join(proc, "self/task"))
	if err != nil {
		return ""
	}
	own, oldest := os.Getpid(), 0
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil && id != own && (oldest == 0 || id < oldest) {
			oldest = id
		}
	}
	if oldest == 0 {
		return ""
	}
	return strconv.Itoa(oldest)
}

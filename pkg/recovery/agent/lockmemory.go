package agent

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryLimit is the soft limit of the agent's memory, in bytes (debug.SetMemoryLimit); it is far
// above what is used.
const memoryLimit = 16 << 20

// lockMemory locks the process in memory and exempts it from the OOM killer: a page that had to be
// read from the disk whose session it recovers would never arrive. Errors are ignored.
func lockMemory() {
	protect()
	if b, err := os.ReadFile("/proc/self/maps"); err == nil {
		for _, r := range programRanges(string(b)) {
			populate(r)
		}
	}
}

// protect is the part of lockMemory without the program's own pages, for a program of the
// initramfs, whose files are never written out.
func protect() {
	debug.SetMemoryLimit(memoryLimit)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // secrets are in it
	// Locked on fault: the Go runtime reserves far more than it uses.
	_ = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}

// extent is a range of this process's memory.
type extent struct{ from, to uintptr }

// programRanges returns where the program file is mapped, from the text of /proc/self/maps
// (fs/proc/task_mmu.c: show_map_vma).
func programRanges(text string) []extent {
	var out []extent
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line) // from-to perms offset device inode path
		if len(f) < 6 || f[4] == "0" {
			continue
		}
		from, to, ok := strings.Cut(f[0], "-")
		a, errA := strconv.ParseUint(from, 16, 64)
		b, errB := strconv.ParseUint(to, 16, 64)
		if ok && errA == nil && errB == nil && a < b {
			out = append(out, extent{uintptr(a), uintptr(b)})
		}
	}
	return out
}

// populate reads the pages of a range into memory, where they then are locked (madvise(2),
// MADV_POPULATE_READ, since Linux 5.14). An older kernel reads them when they are used, from a file
// that is in memory itself.
func populate(r extent) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, r.from, r.to-r.from, unix.MADV_POPULATE_READ)
}

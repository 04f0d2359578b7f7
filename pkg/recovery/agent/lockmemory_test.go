package agent

import (
	"bytes"
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// A process that holds the sessions' secrets makes no core dump and cannot be read by other
// processes of its user, is locked in memory, is not chosen by the OOM killer, and has a limit of
// its heap. The first worker is protected, the others have their program's pages in memory too.
func TestMemoryIsProtected(t *testing.T) {
	switch nstest.Part(t) {
	case "first":
		protect()
		protected(t)
		return
	case "other":
		pagemap, err := os.Open("/proc/self/pagemap") // is root's from then on
		if err != nil {
			t.Fatal(err)
		}
		lockMemory()
		protected(t)
		programInMemory(t, pagemap)
		return
	}
	for _, part := range []string{"first", "other"} {
		if out, err := nstest.Child(t, part, 0).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", part, err, out)
		}
	}
}

// protected checks this process.
func protected(t *testing.T) {
	t.Helper()
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); n != 0 || err != nil {
		t.Errorf("dumpable %d, %v", n, err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	// More than RLIMIT_MEMLOCK needs CAP_IPC_LOCK (mlockall(2)).
	refused := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_ONFAULT)
	if locked := kilobytes(t, status, "VmLck:"); locked < kilobytes(t, status, "VmSize:")*9/10 && refused == nil {
		t.Errorf("%d kB are locked of\n%s", locked, status)
	}
	if n := debug.SetMemoryLimit(-1); n != 16<<20 {
		t.Errorf("the heap's limit is %d bytes", n)
	}
	score, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	// A container without CAP_SYS_RESOURCE may not (fs/proc/base.c: __set_oom_adj).
	refused = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	if string(score) != "-1000\n" && !errors.Is(refused, unix.EACCES) {
		t.Errorf("OOM score %q, %v", score, refused)
	}
}

// kilobytes reads a line of /proc/self/status (proc_pid_status(5)).
func kilobytes(t *testing.T, status []byte, key string) int {
	t.Helper()
	_, rest, _ := bytes.Cut(status, []byte(key))
	f := strings.Fields(string(rest))
	if len(f) == 0 {
		t.Fatalf("no %s in\n%s", key, status)
	}
	n, err := strconv.Atoi(f[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// programInMemory checks that all pages of the program's file are in this process's memory.
func programInMemory(t *testing.T, pagemap *os.File) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	page := uintptr(os.Getpagesize())
	absent, all := 0, 0
	for _, r := range programRanges(string(maps)) {
		for at := r.from; at < r.to; at += page {
			entry := make([]byte, 8) // bit 63: present (Documentation/admin-guide/mm/pagemap.rst)
			if _, err := pagemap.ReadAt(entry, int64(at/page*8)); err != nil {
				t.Fatal(err)
			}
			if all++; entry[7]&0x80 == 0 {
				absent++
			}
		}
	}
	if absent > 0 || all == 0 {
		t.Errorf("%d of %d pages of the program are not in memory", absent, all)
	}
}

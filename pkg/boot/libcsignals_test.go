package boot

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The signals of a C library are ignored, and the next program that is executed gets their previous
// handlers.
func TestLibcSignals(t *testing.T) {
	if os.Getenv("LIBC_SIGNALS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLibcSignals$")
		cmd.Env = append(os.Environ(), "LIBC_SIGNALS=1", quickExit)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	const ours = 1<<31 | 1<<33
	others := ignored(t) &^ ours // ignored by the parent, such as nohup
	if err := ignoreLibcSignals(true); err != nil {
		t.Fatal(err)
	}
	for _, s := range libcSignals {
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	if got := ignored(t); got != others|ours {
		t.Errorf("ignored are %x, and before that %x", got, others)
	}
	if err := ignoreLibcSignals(false); err != nil {
		t.Fatal(err)
	}
	if got := ignored(t); got != others {
		t.Errorf("still ignored are %x, not only %x", got, others)
	}
}

// ignored are the signals that this process ignores, from bit 0 for signal 1.
func ignored(t *testing.T) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "SigIgn:\t")
	mask, err := strconv.ParseUint(text[:16], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mask
}

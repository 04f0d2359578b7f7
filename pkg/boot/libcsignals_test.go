package boot

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The signals of a C library do nothing while they are ignored, and the program
// that takes our place has them as they were.
func TestLibcSignals(t *testing.T) {
	if os.Getenv("LIBC_SIGNALS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLibcSignals$")
		cmd.Env = append(os.Environ(), "LIBC_SIGNALS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := ignoreLibcSignals(true); err != nil {
		t.Fatal(err)
	}
	for _, s := range libcSignals {
		if err := unix.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	ignored := func() string {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, mask, _ := strings.Cut(string(status), "SigIgn:\t")
		return mask[:16]
	}
	if got := ignored(); got != "0000000280000000" {
		t.Errorf("ignored are %s", got)
	}
	if err := ignoreLibcSignals(false); err != nil {
		t.Fatal(err)
	}
	if got := ignored(); got != strings.Repeat("0", 16) {
		t.Errorf("still ignored are %s", got)
	}
}

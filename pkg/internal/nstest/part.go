package nstest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// partOf is the variable with the test that a process runs, and in which part: "NAME PART".
const partOf = "ISCSIROOT_TEST_PART"

// inNamespaces is the part of a test's process in Run.
const inNamespaces = "in namespaces"

// Run runs f, which is a test or a subtest, in a process of its own with new namespaces, clone(2)'s
// flags. Its mounts are private. Such tests run in parallel with others, as after t.Parallel: they
// mostly wait. TestMain has to call [Main].
func Run(t *testing.T, flags uintptr, f func()) {
	t.Helper()
	if Part(t) != "" {
		f()
		return
	}
	t.Parallel()
	out, err := Child(t, inNamespaces, flags).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// Child is this test in another process, with new namespaces, that plays a part.
func Child(t *testing.T, part string, flags uintptr) *exec.Cmd {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Fatal("TestMain does not call nstest.Main")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern(t.Name()), "-test.v")
	cmd.Env = append(os.Environ(), partOf+"="+t.Name()+" "+part, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	return cmd
}

// Part is the part of the test that this process was started for by [Child]; empty if it was not.
func Part(t *testing.T) string {
	t.Helper()
	part, _ := strings.CutPrefix(os.Getenv(partOf), t.Name()+" ")
	if part == os.Getenv(partOf) {
		return ""
	}
	return part
}

// pattern is what -test.run selects this test by, and no other.
func pattern(name string) string {
	elements := strings.Split(name, "/")
	for i, e := range elements {
		elements[i] = "^" + regexp.QuoteMeta(e) + "$"
	}
	return strings.Join(elements, "/")
}

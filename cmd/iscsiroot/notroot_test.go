//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asProgram, in the environment, makes the test binary be the program itself.
const asProgram = "ISCSIROOT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestNotRoot builds as a user without any privilege: an image with device nodes, and one with a file that this user
// must not read.
func TestNotRoot(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	s.write("secret", "x")
	for name, mode := range map[string]os.FileMode{"..": 0o755, ".": 0o755, "out": 0o777, "secret": 0} {
		if err := os.Chmod(s.path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	build := []string{"build", "--root", s.path("tree"), "--kernel-version", release, "--init", s.path("init"), "-o", s.path("out/initrd.img")}

	errs, err := runAsNobody(append(build, "--file", s.path("secret")+":/x"))
	want := "iscsiroot: write " + s.path("out/initrd.img") + ": read " + s.path("secret") + ": permission denied\n"
	if err == nil || !strings.HasPrefix(errs, want) { // a test binary with -cover adds a line of its own
		t.Errorf("unreadable file: %v, %swant %s", err, errs, want)
	}
	if left, _ := os.ReadDir(s.path("out")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if errs, err := runAsNobody(build); err != nil {
		t.Fatalf("%v: %s", err, errs)
	}
	if names, _ := s.list("out/initrd.img"); !strings.Contains(strings.Join(names, " "), " dev/console dev/null ") {
		t.Errorf("no nodes among %q", names)
	}
}

// runAsNobody runs the program as uid 65534, or as the user that runs the tests if that is not root.
func runAsNobody(args []string) (stderr string, err error) {
	// The link works where a path would lead through a directory of root's.
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{asProgram + "=1"}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var b strings.Builder
	cmd.Stderr = &b
	err = cmd.Run()
	return b.String(), err
}

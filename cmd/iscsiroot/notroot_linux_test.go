package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// asProgram, in the environment, makes the test binary be the program itself.
const asProgram = "ISCSIROOT_TEST_AS_PROGRAM"

// withTmpfs is asProgram with a small file system at a directory.
const withTmpfs = "ISCSIROOT_TEST_WITH_TMPFS"

// quickExit keeps the race detector from waiting a second at the end of each process.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if dir := os.Getenv(withTmpfs); dir != "" {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			panic(err)
		}
		status := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
		left, err := os.ReadDir(dir)
		fmt.Println("left:", left, err)
		os.Exit(status)
	}
	if os.Getenv(asProgram) != "" {
		os.Exit(interruptible(endingSignals(), func(ctx context.Context) int {
			return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
		}))
	}
	os.Exit(m.Run())
}

// TestFullDisk builds into a file system of 64 KiB, in a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	s := newStage(t)
	s.outDir("")
	s.write("big", rand.Text()+strings.Repeat("x", 200<<10))
	cmd := exec.Command("/proc/self/exe", "build", "--root", s.path("tree"), "--kernel-version", release, "--init", s.path("init"),
		"--compress", "none", "--file", s.path("big")+":/big", "-o", s.path("out/initrd.img"))
	cmd.Env = []string{withTmpfs + "=" + s.path("out"), quickExit}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err == nil || !strings.HasPrefix(errs.String(), "iscsiroot: write "+s.path("out/initrd.img")+": ") || !strings.Contains(errs.String(), "no space left on device") {
		t.Errorf("%v, %s", err, errs.String())
	}
	if !strings.HasPrefix(out.String(), "left: [] <nil>\n") {
		t.Errorf("beside the output: %s", out.String())
	}
}

// TestNotRoot builds as a user without any privilege: an image with device nodes, and one with a
// file, and one with a module, that this user must not read.
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
	readable, err := os.ReadFile(s.path("out/initrd.img"))
	if err != nil {
		t.Fatal(err)
	}
	module := s.path("tree/lib/modules/" + release + "/kernel/ext4.ko")
	if err := os.Chmod(module, 0); err != nil {
		t.Fatal(err)
	}
	errs, err = runAsNobody(build)
	if want := "iscsiroot: read module " + module + ": permission denied\n"; err == nil || !strings.HasPrefix(errs, want) {
		t.Errorf("unreadable module: %v, %swant %s", err, errs, want)
	}
	if data, err := os.ReadFile(s.path("out/initrd.img")); err != nil || !bytes.Equal(data, readable) {
		t.Errorf("an unreadable module left another image: %v", err)
	}
	if names, _ := s.list("out/initrd.img"); !strings.Contains(strings.Join(names, " "), " dev/console dev/null ") {
		t.Errorf("no nodes among %q", names)
	}
}

// runAsNobody runs the program as uid 65534, or as the user that runs the tests if that is not
// root.
func runAsNobody(args []string) (stderr string, err error) {
	// The link works where a path would lead through a directory of root's.
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{asProgram + "=1", quickExit}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var b strings.Builder
	cmd.Stderr = &b
	err = cmd.Run()
	return b.String(), err
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// maxResident is the resident memory that a command may have with any input, in bytes.
const maxResident = 400 << 20

// hostile runs the program that was built at s.path("iscsiroot") and returns what it printed on
// standard error. It must end by itself and take no more than maxResident.
func (s stage) hostile(args string) (status int, stderr string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute) // ends a child that hangs
	defer cancel()
	cmd := exec.CommandContext(ctx, s.path("iscsiroot"), strings.Fields(strings.ReplaceAll(args, "~", s.dir))...)
	var errs bytes.Buffer
	cmd.Stderr = &errs // standard output is /dev/null
	err := resetPeak()
	if err == nil {
		err = cmd.Run()
	}
	if ctx.Err() != nil {
		s.t.Errorf("%s: it hangs", args)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		s.t.Fatal(err)
	}
	if resident := usage.Maxrss << 10; resident > maxResident {
		s.t.Errorf("%s: it took %d MiB", args, resident>>20)
	} else {
		s.t.Logf("%4d MiB %6.2f s: %s", resident>>20, cmd.ProcessState.UserTime().Seconds(), args)
	}
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(errs.String(), s.dir, "~")
}

// resetPeak sets the peak of this process's memory to what it has now (proc(5): clear_refs). The
// peak of a child begins with that of its parent (fs/exec.c: exec_mmap).
func resetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// builds builds the program, without what the test binary has in addition.
func (s stage) builds() {
	s.t.Helper()
	if out, err := exec.Command("go", "build", "-o", s.path("iscsiroot"), ".").CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// TestHostileInput builds the program once and feeds it with what it must not fall for.
func TestHostileInput(t *testing.T) {
	dir := t.TempDir()
	stage{t, dir}.builds()
	for name, test := range map[string]func(stage){"memory": testMemory, "not files": testNotFiles, "nested hosts": testNestedHosts} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			if err := os.Symlink(dir+"/iscsiroot", s.path("iscsiroot")); err != nil {
				t.Fatal(err)
			}
			test(s)
		})
	}
}

// testMemory feeds each command that reads an image with images that take far more than they are.
func testMemory(s stage) {
	t := s.t
	s.bombs()
	debug.FreeOSMemory() // what they took here
	for _, name := range []string{"sparse", "huge"} {
		s.write(name, "")
	}
	for name, size := range map[string]int64{"sparse": 200 << 20, "huge": 1 << 40} {
		if err := os.Truncate(s.path(name), size); err != nil {
			t.Fatal(err)
		}
	}
	const (
		none     = ""
		unpacked = "raise it with --max-unpacked"
		entries  = "raise it with --max-entries"
		memory   = "raise it with --max-memory"
	)
	for image, want := range map[string]string{
		"zstd": none, "zstd-5g": unpacked, "gzip": none, "lz4": none, "xz-window": memory, "lzma-window": memory,
		"zstd-window": "and the kernel takes", "zstd-content": "and the kernel takes",
		"names": entries, "long-names": none, "ways": entries, "links": memory, "circles": entries, "odd": "more entries like these",
		"sparse": "it is empty", "huge": memory,
	} {
		args := "ls -l ~/" + image // what opening an image refuses, one command shows: all of them open it the same way
		s.beside(args, func(_ int, errs string) bool {
			return (want != none || !strings.Contains(errs, "read image")) && strings.Contains(errs, want)
		})
	}
	build := "build --root ~/tree --kernel-version " + release + " --init ~/init -o ~/out.img"
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"ls --max-unpacked 600 ~/zstd", 0, ""},
		{"ls --max-entries 300000 ~/names", 0, ""},
		{"ls --max-unpacked 100 ~/zstd", 1, "~/zstd: segment 1 at byte 0: unpacked it has more than 104857600 bytes: raise it with --max-unpacked"},
		{"ls --max-memory 1 ~/long-names", 1, memory},
		{"check ~/zstd", 1, ""},
		{"check ~/gzip", 1, ""},
		{"check ~/odd", 1, ""},
		{"check ~/init", 1, ""},
		{"check ~/policy", 1, ""},
		{"check ~/credentials", 1, ""},
		{"check ~/index", 1, ""},
		{"check ~/module", 1, ""},
		{"check ~/packed", 1, ""},
		{"check --max-memory 200 ~/init", 1, memory},
		{"explain --image ~/zstd", 1, ""},
		{"explain --image ~/policy", 1, ""},
		{"explain --image ~/credentials", 1, ""},
		{"explain --max-memory 200 --image ~/policy", 1, ""},
		{"cat ~/zstd zeros", 0, ""},
		{"unpack ~/gzip ~/unpacked", 0, ""},
		{"unpack --max-unpacked 10 ~/gzip ~/refused", 1, unpacked},
		{build + " --append ~/zstd", 0, ""},
		{build + " --append ~/many-files", 0, ""},
		{build + " --append ~/zstd --max-unpacked 100", 1, unpacked},
		{build + " --append ~/huge", 1, memory},
		{build + " --file ~/sparse:/sparse", 0, ""},
		{build + " --file ~/huge:/huge", 1, "larger than the 4 GiB"},
		{build + " --init ~/huge", 1, "larger than"},
		{build + " --busybox=~/huge", 1, "larger than"},
		{build + " --credentials ~/huge", 1, "larger than"},
		{build + " --modaliases ~/huge", 1, "larger than"},
		{"build --root ~/tree --init ~/init -o ~/out.img --kernel ~/huge", 1, "larger than"},
		{"explain --ibft ~/huge", 1, "larger than"},
		{"pxe ~/huge ~/srv", 1, "larger than"},
		{s.bombTree(250<<20, 0), 1, memory},
		{s.bombTree(300<<20, 0), 1, memory},
		{s.bombTree(100<<20, 0), 0, ""},
		{s.bombTree(0, 100<<20), 0, ""},
		{s.bombTree(0, 250<<20), 1, "unpacked it has more than"},
		{s.bombTree(60<<20, 100<<20), 1, memory},
		{s.bombTree(30<<20, 90<<20), 0, ""},
	} {
		s.beside(c.args, func(status int, errs string) bool { return status == c.status && strings.Contains(errs, c.want) })
	}
}

// beside runs a command as hostile does, in parallel with others, and checks its result.
func (s stage) beside(args string, is func(status int, errs string) bool) {
	s.t.Run(args, func(t *testing.T) {
		t.Parallel()
		if status, errs := (stage{t, s.dir}).hostile(args); !is(status, errs) {
			t.Errorf("%s: status %d, %.300s", args, status, errs)
		}
	})
}

// testNotFiles passes FIFOs, devices and directories to commands in place of a file. None waits for
// a writer.
func testNotFiles(s stage) {
	t := s.t
	s.write("hosts.yaml", hosts)
	s.write("srv/tftp/x", "")
	s.write("overlay/x", "")
	tree := "tree/lib/modules/" + release + "/"
	for _, name := range []string{"fifo", "secrets", "overlay/fifo", "srv/tftp/pxelinux.cfg"} {
		if err := unix.Mkfifo(s.path(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := "build --root ~/tree --kernel-version " + release + " --init ~/init -o ~/out.img"
	const want = "not a regular file"
	for _, place := range []string{"~/fifo", "/dev/zero"} {
		for _, args := range []string{
			"ls %s", "cat %s x", "check %s", "unpack %s ~/new", "explain --image %s", "explain --ibft %s", "pxe %s ~/new", "try h --hosts %s",
			"check --modaliases %s ~/init",
			build + " --append %s", build + " --file %s:/x", build + " --init %s", build + " --busybox=%s", build + " --credentials %s",
			build + " --modaliases %s", build + " --kernel ~/init --uki %s",
		} {
			args = fmt.Sprintf(args, place)
			if status, errs := s.hostile(args); status != 1 || !strings.Contains(errs, want) {
				t.Errorf("%s: status %d, %s", args, status, errs)
			}
		}
	}
	for _, c := range []struct{ args, want string }{
		{build + " --overlay ~/overlay", "neither a file, a directory nor a symbolic link"},
		{build + " --overlay ~/fifo", "not a directory"},
		{"build --root ~/tree --init ~/init -o ~/out.img --kernel ~/fifo", want},
		{"build --root ~/tree --init ~/init -o ~/out.img --kernel /dev/zero", want},
		{"pxe ~/hosts.yaml ~/new", want}, // the file of secrets
	} {
		if status, errs := s.hostile(c.args); status != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %s", c.args, status, errs)
		}
	}
	for _, c := range []struct{ name, want string }{
		{"kernel/sd_mod.ko", "lists kernel/sd_mod.ko, but the tree has no such file"}, {"modules.alias", "modules.alias: " + want}, {"modules.dep", "modules.dep: " + want},
	} {
		name := c.name
		if err := os.Remove(s.path(tree + name)); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(s.path(tree+name), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, errs := s.hostile(build); status != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %s", name, status, errs)
		}
	}
}

// testNestedHosts feeds pxe and try with YAML that the parser would take gigabytes for.
func testNestedHosts(s stage) {
	t := s.t
	for name, text := range map[string]string{
		"entries": strings.Repeat("- ", 60000), "comments": strings.Repeat("[ #]\n", 100000), "brackets": strings.Repeat("[", 1<<20),
		"many": "hosts:\n" + strings.Repeat("  - name: a\n    portals: [a, b, c]\n", 25000),
	} {
		s.write(name, text)
		for _, args := range []string{"pxe ~/" + name + " ~/new", "try h --hosts ~/" + name} {
			if status, errs := s.hostile(args); status != 1 || !strings.HasPrefix(errs, "iscsiroot: ~/"+name) {
				t.Errorf("%s: status %d, %.300s", args, status, errs)
			}
		}
	}
}

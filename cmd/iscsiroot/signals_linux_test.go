package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/initramfs"
)

// busyTimeout is for what the tests wait for, on a machine with much other work.
const busyTimeout = time.Minute

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(busyTimeout); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after %v", what, busyTimeout)
		}
	}
}

// program starts the program with a standard output that is a full pipe.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", quickExit)
	cmd.Stdout = w
	return cmd
}

// writes reports whether a process waits in write(2) to its standard output (proc_pid_syscall(5)).
func writes(cmd *exec.Cmd) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", cmd.Process.Pid))
	for _, name := range files {
		text, _ := os.ReadFile(name)
		if strings.HasPrefix(string(text), fmt.Sprintf("%d 0x1 ", unix.SYS_WRITE)) {
			return true
		}
	}
	return false
}

// onTmpfs puts the test's files where other work on the disk does not keep unlink(2) and fsync(2)
// waiting.
func onTmpfs(t *testing.T) {
	t.Helper()
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		t.Setenv("TMPDIR", "/dev/shm")
	}
}

// A signal ends every running command, with a shell's status for it, and the directory is as
// before.
func TestSignals(t *testing.T) {
	onTmpfs(t)
	s := newStage(t)
	s.outDir("")
	s.write("big", rand.Text()+strings.Repeat("x", 24<<20))
	s.write("many.img", manyFiles(t))
	s.write("hosts.yaml", manyHosts(2000))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	has := func(pattern string) func(*exec.Cmd) bool {
		return func(*exec.Cmd) bool {
			found, _ := filepath.Glob(s.path(pattern))
			return len(found) > 0
		}
	}
	asks := func(*exec.Cmd) bool {
		c, err := listener.Accept()
		return err == nil && c != nil
	}
	for _, c := range []struct {
		args []string
		busy func(*exec.Cmd) bool
	}{
		{[]string{"ls", s.path("many.img")}, writes},
		{[]string{"cat", s.path("many.img"), "file00001"}, writes},
		{[]string{"check", s.path("many.img")}, writes},
		{[]string{"explain", "--cmdline", "root=/dev/sda"}, writes},
		{[]string{"man", "parameters"}, writes},
		{[]string{"version", "--sbom"}, writes},
		{[]string{"pxe", s.path("hosts.yaml"), s.path("new/dir"), "--dry-run"}, writes},
		{[]string{"discover", "--initiator", "iqn.2007-01.com.example:a", listener.Addr().String()}, asks},
		{[]string{
			"build", "--root", s.path("tree"), "--kernel-version", release, "--init", s.path("init"), "--compress", "xz",
			"--file", s.path("big") + ":/big", "-o", s.path("out/initrd.img"),
		}, has("out/.initrd.img.*" + outfileSuffix)},
		{[]string{"unpack", s.path("many.img"), s.path("new/dir")}, has("new/dir/*")},
		{[]string{"pxe", s.path("hosts.yaml"), s.path("new/dir")}, has("new/dir/tftp/pxelinux.cfg/*")},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(c.args[0]+" "+signal.String(), func(t *testing.T) {
				before := everything(t, s.dir)
				cmd := program(t, c.args...)
				var errs bytes.Buffer
				cmd.Stderr = &errs
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				await(t, "at work", func() bool { return c.busy(cmd) })
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // the status contains the signal
				if status := cmd.ProcessState.ExitCode(); status != 128+int(signal) {
					t.Errorf("status %d, %s", status, errs.String())
				}
				if diff := cmp.Diff(before, everything(t, s.dir)); diff != "" {
					t.Errorf("-before +after:\n%s", diff)
				}
			})
		}
	}
}

// outfileSuffix is that of files that are not complete.
const outfileSuffix = ".iscsiroot-new"

// everything lists the names below a directory.
func everything(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		out = append(out, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// manyFiles is an image that takes a while to unpack.
func manyFiles(t *testing.T) string {
	t.Helper()
	var files []initramfs.File
	for i := range 30000 {
		files = append(files, initramfs.File{Path: fmt.Sprintf("/file%05d", i), Mode: 0o644, Data: []byte("x")})
	}
	image, err := initramfs.Archive(files)
	if err != nil {
		t.Fatal(err)
	}
	return string(image)
}

// manyHosts is a hosts file.
func manyHosts(n int) string {
	var b strings.Builder
	b.WriteString(`server: 10.1.0.1
defaults:
  initiator: iqn.2007-01.com.example:server.{name}
  target: iqn.2007-01.com.example:storage.{name}
  portals: 10.1.0.2
  kernel: remote/vmlinuz
  initrd: remote/initrd.img
hosts:
`)
	for i := range n {
		fmt.Fprintf(&b, "  - name: h%d\n    mac: aa:bb:cc:dd:%02x:%02x\n    address: 10.1.%d.%d/16\n", i, i>>8, i&0xff, 1+i>>7, 1+i&0x7f)
	}
	return b.String()
}

package agent

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
)

func mountOn(t *testing.T, dir, fstype string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("test", dir, fstype, 0, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", fstype, dir, err)
	}
}

// TestIsolate starts an agent's process while root is mounted, and unmounts root: its file system
// must end immediately, although the agent's mount namespace was a copy.
func TestIsolate(t *testing.T) {
	if nstest.Part(t) == "agent" {
		isolated(t)
		return
	}
	if nstest.User() { // may not mount a devtmpfs: in the machine that is allowed
		vmtest.Run(t, vmtest.Machine{}, nil)
		return
	}
	nstest.Run(t, unix.CLONE_NEWNS, func() {
		root := t.TempDir() + `/a root\with blanks`
		mountOn(t, root, "tmpfs")
		mountOn(t, root+"/usr", "tmpfs")
		mountOn(t, "/run", "tmpfs")
		ends := watchEnd(t, root, root+"/usr")

		agent := nstest.Child(t, "agent", unix.CLONE_NEWNS)
		agent.Stderr = os.Stderr
		in, err := agent.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := agent.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() != "isolated" {
			t.Log(lines.Text())
		}
		for _, dir := range []string{root + "/usr", root} {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Fatalf("unmount %s: %v", dir, err)
			}
		}
		if n := ends(); n != 2 {
			t.Errorf("%d of 2 file systems have ended", n)
		}
		_ = in.Close()
		for lines.Scan() {
			t.Log(lines.Text())
		}
		if err := agent.Wait(); err != nil {
			t.Errorf("the agent's process: %v", err)
		}
	})
}

// isolated is the agent's part: it prints a line when it is isolated, and waits.
func isolated(t *testing.T) {
	t.Helper()
	if err := isolate(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString("isolated\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	points, err := mountPoints()
	if got := strings.Join(points, " "); err != nil || got != "/proc /sys /dev /run" {
		t.Errorf("mounted in the agent's namespace: %q, %v", got, err)
	}
	if entries, err := filepath.Glob("/*"); err != nil || len(entries) != 4 {
		t.Errorf("the agent's root holds %v, %v", entries, err)
	}
}

// watchEnd returns how many of the file systems mounted on directories have ended. The kernel
// reports that with their last mount, whatever namespace that is in (inotify(7), IN_UNMOUNT).
func watchEnd(t *testing.T, dirs ...string) func() int {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE_SELF); err != nil {
			t.Fatal(err)
		}
	}
	return func() (ended int) {
		buf := make([]byte, 4096)
		n, _ := unix.Read(fd, buf)
		for b := buf[:max(n, 0)]; len(b) >= unix.SizeofInotifyEvent; b = b[unix.SizeofInotifyEvent:] {
			if mask := uint32(b[4]) | uint32(b[5])<<8; mask&unix.IN_UNMOUNT != 0 {
				ended++
			}
		}
		return ended
	}
}

package boot

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// TestMain fakeLogins the processes that the reaper's tests start.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	nstest.Main(m)
}

// The reaper takes every child of its process, so it runs in a process of its own, which adopts
// orphans as PID 1 does. It prints what is wrong.
const roleVariable = "ISCSIROOT_TEST_ROLE"

// quickExit keeps the race detector from waiting a second at the end of each process.
const quickExit = "GORACE=atexit_sleep_ms=0"

// play is a process that a test started.
func play(role string) int {
	scenes := map[string]func() error{
		"status":  playStatus,
		"orphan":  playOrphan,
		"signals": playSignals,
		"storm":   playStorm,
		"keys":    playKeys,
		"monitor": playMonitor,
		"parent":  playParent,
		"child":   playChild,
	}
	name, arg, _ := strings.Cut(role, " ")
	if name == "exit" {
		status, _ := strconv.Atoi(arg)
		return status
	}
	if err := scenes[name](); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func TestReaper(t *testing.T) {
	for _, role := range []string{"status", "orphan", "signals", "storm", "keys"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			playIn(t, role)
		})
	}
}

// playIn fakeLogins a role in a process of its own.
func playIn(t *testing.T, role string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, quickExit)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// spawn starts this program in a role, with files as standard input and output.
func spawn(role string, files ...*os.File) (int, error) {
	attr := &syscall.ProcAttr{Env: []string{roleVariable + "=" + role, quickExit}, Files: []uintptr{0, 1, 2}}
	for i, f := range files {
		attr.Files[i] = f.Fd()
	}
	return syscall.ForkExec("/proc/self/exe", []string{"child"}, attr)
}

// playStatus checks that each child's status is sent to the channel of its start, however quickly
// children end.
func playStatus() error {
	r := newReaper()
	catchSignals(r, func() {})
	waiting := map[int]<-chan unix.WaitStatus{}
	for i := range 8 {
		_, status, err := r.start(func() (int, error) { return spawn("exit " + strconv.Itoa(i)) })
		if err != nil {
			return err
		}
		waiting[i] = status
	}
	for want, status := range waiting {
		if s := <-status; !s.Exited() || s.ExitStatus() != want {
			return fmt.Errorf("child has status %#x, want exit %d", int(s), want)
		}
	}
	pid, status, err := r.start(func() (int, error) { return spawn("child") })
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	if s := <-status; !s.Signaled() || s.Signal() != unix.SIGKILL {
		return fmt.Errorf("killed child has status %#x", int(s))
	}
	wrong := errors.New("no such program")
	if _, _, err := r.start(func() (int, error) { return 0, wrong }); !errors.Is(err, wrong) {
		return fmt.Errorf("start of a program that does not exist: %w", err)
	}
	if len(r.waiters) != 0 {
		return fmt.Errorf("%d waiters are left", len(r.waiters))
	}
	return nil
}

// playOrphan checks that a process whose parent has ended is reaped as well, and that its status is
// not sent.
func playOrphan() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	life, end, err := os.Pipe() // the orphan runs until this is closed
	if err != nil {
		return err
	}
	says, said, err := os.Pipe()
	if err != nil {
		return err
	}
	unix.CloseOnExec(int(end.Fd()))
	r := newReaper()
	parent, status, err := r.start(func() (int, error) { return spawn("parent", life, said) })
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the orphan's pid: %w", err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return err
	}
	if err := reapEnded(r, parent); err != nil {
		return err
	}
	if s := <-status; s.ExitStatus() != 0 {
		return fmt.Errorf("parent has status %#x", int(s))
	}
	if err := unix.Kill(orphan, 0); err != nil {
		return fmt.Errorf("the orphan has ended: %w", err)
	}
	_ = end.Close()
	return reapEnded(r, orphan)
}

// reapEnded waits for a process to end, reaps, and checks that it does not exist any more.
func reapEnded(r *reaper, pid int) error {
	if err := waitEnded(pid); err != nil {
		return err
	}
	if err := unix.Kill(pid, 0); err != nil {
		return fmt.Errorf("process %d does not exist before it was reaped: %w", pid, err)
	}
	r.reap()
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d is still there after it was reaped: %v", pid, err)
	}
	return nil
}

// waitEnded waits until a process has ended, without reaping it.
func waitEnded(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll pidfd: %w", err)
		}
	}
}

// playParent leaves a child behind that runs until its standard input ends.
func playParent() error {
	pid, err := spawn("child")
	fmt.Println(pid)
	return err
}

// playChild runs until its standard input ends, or it is killed.
func playChild() error {
	_, err := os.Stdin.Read(make([]byte, 1))
	if err == nil {
		return errors.New("input, where there should be none")
	}
	return nil
}

// playSignals sends itself every signal that can be caught, and none may end it. SIGINT is the key
// combination, SIGCHLD without a child does nothing.
func playSignals() error {
	pressed := make(chan struct{}, 64)
	catchSignals(newReaper(), func() { pressed <- struct{}{} })
	if err := unix.Kill(os.Getpid(), unix.SIGINT); err != nil {
		return err
	}
	<-pressed
	for sig := unix.Signal(1); sig <= 64; sig++ {
		switch sig {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGINT, 32, 33, 34:
			// The first two cannot be caught, the third was sent, and Go leaves the
			// others to C libraries. PID 1 does not receive what it does not catch
			// (kernel/signal.c: SIGNAL_UNKILLABLE).
			continue
		}
		if err := unix.Kill(os.Getpid(), sig); err != nil {
			return fmt.Errorf("kill %v: %w", sig, err)
		}
	}
	if len(pressed) != 0 {
		return errors.New("a signal that is not SIGINT was taken for the key combination")
	}
	return nil
}

// playStorm checks that a child's status is delivered whatever signals arrive while the reaper's
// lock is held, and that SIGURG, which the runtime uses, is not caught.
func playStorm() error {
	if slices.Contains(caughtSignals(), os.Signal(unix.SIGURG)) {
		return errors.New("SIGURG is asked for")
	}
	r := newReaper()
	catchSignals(r, func() {})
	for i := range 8 {
		_, status, err := r.start(func() (int, error) {
			pid, err := spawn("exit " + strconv.Itoa(i))
			if err != nil {
				return 0, err
			}
			if err := waitEnded(pid); err != nil {
				return 0, err
			}
			for range 100 {
				for _, s := range []unix.Signal{unix.SIGCHLD, unix.SIGURG, unix.SIGUSR1} {
					if err := unix.Kill(os.Getpid(), s); err != nil {
						return 0, err
					}
				}
			}
			return pid, nil
		})
		if err != nil {
			return err
		}
		if s := <-status; s.ExitStatus() != i {
			return fmt.Errorf("child has status %#x, want exit %d", int(s), i)
		}
	}
	return nil
}

// playKeys checks that children are reaped while the key combination is handled.
func playKeys() error {
	r := newReaper()
	pressed, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	catchSignals(r, func() { close(pressed); <-release; close(left) })
	if err := unix.Kill(os.Getpid(), unix.SIGINT); err != nil {
		return err
	}
	<-pressed
	_, status, err := r.start(func() (int, error) { return spawn("exit 3") })
	if err != nil {
		return err
	}
	if s := <-status; s.ExitStatus() != 3 {
		return fmt.Errorf("child has status %#x, want exit 3", int(s))
	}
	close(release)
	<-left
	return nil
}

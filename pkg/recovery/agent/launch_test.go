package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// launched is PID 1's end of an agent, and the agent's socket.
func launched(t *testing.T) (*Process, int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProcess(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, pair[1]
}

// running gives a process to kill to an agent.
func running(t *testing.T, p *Process) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	cmd.SysProcAttr = &unix.SysProcAttr{PidFD: &p.pidfd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.Pid = cmd.Process.Pid
	return cmd
}

func TestHandOver(t *testing.T) {
	for name, tt := range map[string]struct {
		agent func(t *testing.T, sock int)
		state int // bytes
		want  string
		is    error
	}{
		"ready": {agent: func(t *testing.T, sock int) {
			m := newMemory(t)
			if err := errors.Join(m.receive(sock), confirm(sock)); err != nil {
				t.Error(err)
			}
			if b, err := m.load(); err != nil || len(b) != maxState {
				t.Errorf("received %d bytes, %v", len(b), err)
			}
		}, state: maxState},
		"ends before":     {agent: func(_ *testing.T, sock int) { _ = unix.Close(sock) }, state: 1, want: "hand over: the agent has ended", is: ErrNoAgent},
		"ends after":      {agent: func(t *testing.T, sock int) { _ = newMemory(t).receive(sock); _ = unix.Close(sock) }, state: 1, want: "hand over: the agent has ended", is: ErrNoAgent},
		"another answer":  {agent: func(_ *testing.T, sock int) { _, _ = unix.Write(sock, []byte("hello")) }, state: 1, want: `hand over: unexpected answer "hello"`},
		"does not answer": {agent: func(*testing.T, int) {}, state: 1, want: "hand over: no answer: context deadline exceeded", is: context.DeadlineExceeded},
		"too large":       {agent: func(*testing.T, int) {}, state: maxState + 1, want: "hand over: 65537 bytes: limit 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			p, sock := launched(t)
			cmd := running(t, p)
			done := make(chan struct{})
			go func() { defer close(done); tt.agent(t, sock) }()
			limit := time.Minute // only a bound
			if errors.Is(tt.is, context.DeadlineExceeded) {
				limit = 10 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := p.HandOver(ctx, bytes.Repeat([]byte{7}, tt.state))
			<-done
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				if err := errors.Join(p.Kill(), ignore(cmd.Wait())); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Errorf("the agent ended with %v", err)
			}
		})
	}
}

// ignore drops the error that a process was killed.
func ignore(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// Signals, of which PID 1 receives many, do not end the wait for the answer.
func TestHandOverContinuesAfterSignals(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR2)
	defer signal.Stop(signals)
	p, sock := launched(t)
	handed := make(chan error)
	tid := make(chan int)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		handed <- p.HandOver(t.Context(), []byte("state"))
	}()
	thread := <-tid
	if err := newMemory(t).receive(sock); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := unix.Tgkill(os.Getpid(), thread, unix.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		<-signals
	}
	if err := confirm(sock); err != nil {
		t.Fatal(err)
	}
	if err := <-handed; err != nil {
		t.Error(err)
	}
}

// An agent whose answer cannot be delivered gets an error, so that it ends: PID 1 waits no more.
func TestAnswerNotDelivered(t *testing.T) {
	p, sock := launched(t)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := confirm(sock); !errors.Is(err, unix.EPIPE) {
		t.Errorf("got %v", err)
	}
}

// Kill returns when the process has ended; one that had ended before, reaped or not, is no error.
func TestKill(t *testing.T) {
	p, _ := launched(t)
	if err := p.Kill(); err != nil {
		t.Errorf("none was started: %v", err)
	}
	cmd := running(t, p)
	for _, what := range []string{"running", "ended"} {
		if err := p.Kill(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}, 0); n != 1 || err != nil {
			t.Errorf("%s: it runs on", what)
		}
	}
	if err := ignore(cmd.Wait()); err != nil {
		t.Error(err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("reaped: %v", err)
	}
	_ = unix.Close(p.pidfd)
	if p.pidfd = -1; p.Kill() != nil { // as on an old kernel
		t.Errorf("no pidfd: %v", p.Kill())
	}
}

// TestMain plays the agent's processes: in TestLaunch one that takes the state, answers, and stays;
// in TestHalves supervisors and workers.
func TestMain(m *testing.M) {
	if play := map[string]func() error{runstate.SupervisorName: playSupervisor, runstate.WorkerName: playWorker}[os.Args[0]]; play != nil {
		if err := play(); err != nil {
			kmsg.Open(kmsg.SystemPaths()).Errorf("%v", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Args[0] == runstate.FirstName {
		memory, err := newStateMemory()
		if err = errors.Join(err, memory.receive(sockFile), confirm(sockFile)); err != nil {
			os.Exit(1)
		}
		select {}
	}
	vmtest.Main()
	nstest.Main(m)
}

func TestLaunch(t *testing.T) {
	p, err := Launch(func(fork func() (int, error)) error { _, err := fork(); return err })
	if err != nil {
		t.Fatalf("%v (run the tests as root)", err)
	}
	defer p.Close()
	if p.Pid <= 0 || p.pidfd < 0 {
		t.Errorf("pid %d, pidfd %d", p.Pid, p.pidfd)
	}
	if err := p.HandOver(t.Context(), []byte("state")); err != nil {
		t.Error(err)
	}
	ours, oerr := os.Readlink("/proc/self/ns/mnt")
	its, ierr := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", p.Pid))
	if err := errors.Join(oerr, ierr); err != nil || ours == its {
		t.Errorf("the agent's mount namespace is %s, ours %s: %v", its, ours, err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(p.Pid, &status, 0, nil); err != nil || status.Signal() != unix.SIGKILL {
		t.Errorf("the agent ended with %v, %v", status, err)
	}
	if _, err := Launch(func(func() (int, error)) error { return unix.ENOMEM }); !errors.Is(err, unix.ENOMEM) || !strings.HasPrefix(err.Error(), "launch agent: ") {
		t.Errorf("got %v", err)
	}
}

func TestRestartPause(t *testing.T) {
	second := time.Second
	for _, tt := range []struct {
		ran, pause, now, next time.Duration
	}{
		{0, recovery.RestartFirst, recovery.RestartFirst, 2 * recovery.RestartFirst},
		{pauseResetAfter - 1, second, second, 2 * second},
		{0, recovery.RestartMost, recovery.RestartMost, recovery.RestartMost},
		{0, 6 * second, 6 * second, recovery.RestartMost},
		{pauseResetAfter, recovery.RestartMost, recovery.RestartFirst, 2 * recovery.RestartFirst},
	} {
		if now, next := restartPause(tt.pause, tt.ran); now != tt.now || next != tt.next {
			t.Errorf("pause %v after %v: %v then %v, want %v then %v", tt.pause, tt.ran, now, next, tt.now, tt.next)
		}
	}
}

// The first worker ends when the supervisor runs, and retries until then.
func TestFirstWorkerEndsAfterSupervision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, tries, began := &lines{}, 0, time.Now()
		var ended time.Duration
		startSupervision(t.Context(), func() error {
			if tries++; tries < 3 {
				return errors.New("install: no space left on device")
			}
			return nil
		}, log, func() { ended = time.Since(began) })
		if tries != 3 || ended != 3*bootSettleTime || len(*log) != 1 {
			t.Errorf("%d tries, ended after %v, log %q", tries, ended, *log)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		startSupervision(ctx, nil, log, nil) // returns
	})
}

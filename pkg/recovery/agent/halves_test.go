package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// quickTiming is a timing for tests: far from what a busy machine takes for a step.
func quickTiming() timing {
	return timing{
		interval: 100 * time.Millisecond, workerLimit: 3 * time.Second, supervisorLimit: 2 * time.Second,
		stopLimit: 500 * time.Millisecond, startLimit: time.Minute, endLimit: 2 * time.Second,
	}
}

// Files by which a test makes the next of its processes do something; that removes them. oneFile is
// locked by the worker, and twoFile made by one that cannot.
const (
	loopSticks = "/run/loop-sticks"       // a worker
	endSticks  = "/run/end-sticks"        // a worker, when it has started a supervisor
	lazyFile   = "/run/supervisor-sticks" // a supervisor, when it has started a worker
	oneFile    = "/run/one"
	twoFile    = "/run/two"
)

// playSupervisor is the real supervisor, with another timing.
func playSupervisor() error {
	if os.Remove(lazyFile) != nil {
		return supervise(quickTiming())
	}
	s, err := newSupervisor(quickTiming())
	if err != nil {
		return err
	}
	s.shared.beat(supervisorHalf)
	s.awaitOldWorker()
	if _, err := s.start(); err != nil {
		return err
	}
	select {}
}

// playWorker is a worker without sessions, kernel and network.
func playWorker() error {
	ignoreSignals()
	p, err := newParent()
	if err != nil {
		return err
	}
	one, err := os.OpenFile(oneFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(one.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(err, os.WriteFile(twoFile, nil, 0o600))
	}
	w := &worker{memory: stateMemory{os.NewFile(stateFile, "state")}, timing: quickTiming(), log: kmsg.Open(kmsg.SystemPaths())}
	if w.shared, err = w.memory.shared(); err != nil {
		return err
	}
	w.agent = recovery.New(recovery.Config{Log: w.log, BeatEvery: w.interval, Listeners: func() ([]uint32, error) { return nil, nil }, Beat: func() {
		w.shared.beat(workerHalf)
		if os.Remove(loopSticks) == nil {
			select {}
		}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	w.persist(ctx, "supervisor watch", func() { w.watch(ctx, p, cancel) })
	w.agent.Run(ctx)
	if os.Remove(endSticks) == nil {
		select {}
	}
	return one.Close()
}

// pair is supervisor and worker in namespaces of their own, whose first process is the test.
type pair struct {
	*testing.T
	page *sharedMemory
	mu   sync.Mutex // guards log
	log  []string
}

// inPair runs f with a running pair.
func inPair(t *testing.T, f func(p *pair)) {
	t.Helper()
	nstest.Run(t, unix.CLONE_NEWNS|unix.CLONE_NEWPID, func() {
		p := &pair{T: t}
		p.mount()
		memory := newMemory(t)
		var err error
		if p.page, err = memory.shared(); err != nil {
			t.Fatal(err)
		}
		first := &worker{memory: memory, shared: p.page, timing: quickTiming()}
		var alive [2]int
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err = errors.Join(err, unix.Pipe2(alive[:], unix.O_CLOEXEC)); err != nil {
			t.Fatal(err)
		}
		if _, err := fork("/proc/self/exe", runstate.SupervisorName, &unix.SysProcAttr{}, uintptr(null), first.memory.Fd(), uintptr(alive[0])); err != nil {
			t.Fatal(err)
		}
		p.wait("first beat", func() bool { return p.page.beats[supervisorHalf].Load() > 0 })
		if pids := p.of(runstate.WorkerName); len(pids) != 0 {
			t.Fatalf("there is a worker beside the first one: %v", pids)
		}
		_ = unix.Close(alive[1])
		p.runs(0, 0)
		f(p)
		if _, err := os.Stat(twoFile); err == nil {
			t.Error("there were two workers at once")
		}
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("log:\n%s", strings.Join(p.log, "\n"))
		}
	})
}

// mount gives the pair a /run, a /proc and a log of its own.
func (p *pair) mount() {
	null, err := os.Open("/dev/null")
	err = errors.Join(err,
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("test", "/run", "tmpfs", 0, ""),
		unix.Mount("test", "/dev", "tmpfs", 0, ""),
		unix.Mount("test", "/proc", "proc", unix.MS_RDONLY, ""),
		os.WriteFile("/dev/null", nil, 0o666),
		unix.Mkfifo("/dev/kmsg", 0o600))
	if err == nil {
		err = unix.Mount(fmt.Sprintf("/proc/self/fd/%d", null.Fd()), "/dev/null", "", unix.MS_BIND, "")
	}
	log, lerr := os.OpenFile("/dev/kmsg", os.O_RDWR, 0)
	if err = errors.Join(err, lerr); err != nil {
		p.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			p.mu.Lock()
			p.log = append(p.log, lines.Text())
			p.mu.Unlock()
		}
	}()
}

// wait waits until something is so, and reaps meanwhile.
func (p *pair) wait(what string, so func() bool) {
	p.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) { // only a bound
		_, _ = unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if time.Now().After(end) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.Fatalf("waited for: %s; log:\n%s", what, strings.Join(p.log, "\n"))
		}
	}
}

// of lists the processes of a name that can run, or are stopped.
func (p *pair) of(name string) []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []int
	for _, path := range paths {
		argv, err := os.ReadFile(path) // empty of a zombie
		pid, perr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && perr == nil && string(argv) == name+"\x00" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// runs waits until one supervisor and one worker run that are not those given, and returns them.
func (p *pair) runs(notSupervisor, notWorker int) (supervisor, worker int) {
	p.Helper()
	var beats [halves]uint64
	p.wait("a supervisor and a worker that run", func() bool {
		s, w := p.of(runstate.SupervisorName), p.of(runstate.WorkerName)
		if len(s) != 1 || len(w) != 1 || s[0] == notSupervisor || w[0] == notWorker {
			return false
		}
		if s[0] != supervisor || w[0] != worker {
			supervisor, worker = s[0], w[0]
			beats = [halves]uint64{p.page.beats[0].Load(), p.page.beats[1].Load()}
		}
		return p.page.beats[0].Load() > beats[0]+1 && p.page.beats[1].Load() > beats[1]+1
	})
	return supervisor, worker
}

func (p *pair) has(line string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.log, func(l string) bool { return strings.HasSuffix(l, line) })
}

func (p *pair) signal(pid int, s unix.Signal) {
	p.Helper()
	if err := unix.Kill(pid, s); err != nil {
		p.Error(err)
	}
}

// logged waits for a line of the log, and checks that the report has the same.
func (p *pair) logged(line, report string) {
	p.Helper()
	p.wait(line, func() bool { return p.has(line) })
	if got := p.page.report(); !strings.HasPrefix(got, report+" at ") || strings.Count(got, "\n") != 1 {
		p.Errorf("the report has %q, want %q", got, report)
	}
}

// The supervisor replaces a worker that was killed, is stopped or stuck.
func TestWorkerIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		fault        func(p *pair, worker int)
		line, report string
	}{
		"killed": {func(p *pair, w int) { p.signal(w, unix.SIGKILL) }, "agent: its worker ended: started another one", "agent worker replaced 1 reason ended"},
		"stopped": {
			func(p *pair, w int) { p.signal(w, unix.SIGSTOP) },
			"agent: its worker was stopped: started another one", "agent worker replaced 1 reason stopped",
		},
		"stuck": {
			func(p *pair, _ int) { write(p.T, loopSticks, nil, 0o600) },
			"agent: its worker did not run for 3 s: started another one", "agent worker replaced 1 reason stuck",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, func(p *pair) {
				supervisor, worker := p.runs(0, 0)
				c.fault(p, worker)
				if s, _ := p.runs(0, worker); s != supervisor {
					t.Errorf("the supervisor was replaced too")
				}
				p.logged(c.line, c.report)
			})
		})
	}
}

// A worker replaces a supervisor that was killed or is stopped, and then ends; if it is stuck by
// then, it is killed.
func TestSupervisorIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		before       string // a file
		fault        func(p *pair, supervisor int)
		line, report string
	}{
		"killed": {
			"", func(p *pair, s int) { p.signal(s, unix.SIGKILL) },
			"agent: its supervisor ended: started another one", "agent supervisor replaced 1 reason ended",
		},
		"stopped": {
			"", func(p *pair, s int) { p.signal(s, unix.SIGSTOP) },
			"agent: its supervisor was stopped: started another one", "agent supervisor replaced 1 reason stopped",
		},
		"worker sticks at its end": {
			endSticks, func(p *pair, s int) { p.signal(s, unix.SIGKILL) },
			"agent: the worker before this one does not end: killing it", "agent supervisor replaced 1 reason ended",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, func(p *pair) {
				if c.before != "" {
					write(t, c.before, nil, 0o600)
				}
				supervisor, worker := p.runs(0, 0)
				c.fault(p, supervisor)
				p.runs(supervisor, worker)
				p.logged(c.line, c.report)
			})
		})
	}
}

// A supervisor whose loop is stuck is replaced too.
func TestStuckSupervisorIsReplaced(t *testing.T) {
	inPair(t, func(p *pair) {
		supervisor, worker := p.runs(0, 0)
		write(t, lazyFile, nil, 0o600)
		p.signal(supervisor, unix.SIGKILL)
		p.runs(supervisor, worker)
		p.wait("the stuck one's end", func() bool { return p.has("agent: its supervisor did not run for 2 s: started another one") })
		if got := p.page.report(); !strings.HasPrefix(got, "agent supervisor replaced 2 reason stuck at ") {
			t.Errorf("the report has %q", got)
		}
	})
}

// A process that is stopped for a moment only, as killall5 does it to all, is not replaced.
func TestShortStopIsIgnored(t *testing.T) {
	inPair(t, func(p *pair) {
		supervisor, worker := p.runs(0, 0)
		for range 3 {
			for _, s := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
				p.signal(supervisor, s)
				p.signal(worker, s)
			}
			begin := p.page.beats[workerHalf].Load()
			p.wait("beats", func() bool { return p.page.beats[workerHalf].Load() > begin+10 })
		}
		if s, w := p.runs(0, 0); s != supervisor || w != worker {
			t.Errorf("replaced: %d and %d, were %d and %d", s, w, supervisor, worker)
		}
	})
}

// Both are stopped: the first that is continued replaces the other one. With the supervisor stopped
// and the worker killed, no worker starts before SIGCONT reaches the supervisor.
func TestBothProcessesStopped(t *testing.T) {
	inPair(t, func(p *pair) {
		supervisor, worker := p.runs(0, 0)
		p.signal(supervisor, unix.SIGSTOP)
		p.signal(worker, unix.SIGSTOP)
		p.signal(worker, unix.SIGCONT)
		p.runs(supervisor, worker)
		p.logged("agent: its supervisor was stopped: started another one", "agent supervisor replaced 1 reason stopped")

		supervisor, worker = p.runs(0, 0)
		p.signal(supervisor, unix.SIGSTOP)
		p.signal(worker, unix.SIGKILL)
		p.wait("the worker's end", func() bool { return len(p.of(runstate.WorkerName)) == 0 })
		p.signal(supervisor, unix.SIGCONT)
		if s, _ := p.runs(0, worker); s != supervisor {
			t.Error("the supervisor was replaced")
		}
	})
}

// Faults of all kinds in either process at any moment: there is never a second worker.
func TestNeverTwoWorkers(t *testing.T) {
	inPair(t, func(p *pair) {
		for i := range 8 {
			supervisor, worker := p.runs(0, 0)
			switch i % 4 {
			case 0:
				p.signal(supervisor, unix.SIGSTOP)
				p.runs(supervisor, worker)
			case 1:
				p.signal(worker, unix.SIGSTOP)
				p.signal(worker, unix.SIGKILL)
				p.runs(0, worker)
			case 2:
				p.signal(supervisor, unix.SIGKILL)
				p.runs(supervisor, worker)
			case 3:
				p.signal(worker, unix.SIGSTOP)
				p.runs(0, worker)
			}
		}
	})
}

package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
)

// A process is stuck when its number of beats does not change for several checks, not when one
// check is late: the machine may have been stopped.
func TestPulse(t *testing.T) {
	const every = 5 * time.Second
	for name, c := range map[string]struct {
		looks  []time.Duration // each so long after the one before
		beats  []uint64        // at each
		silent time.Duration   // at the last
	}{
		"the first":      {[]time.Duration{time.Hour}, []uint64{7}, 0},
		"beats":          {[]time.Duration{0, every, every}, []uint64{1, 2, 3}, 0},
		"none":           {[]time.Duration{0, every, every, every}, []uint64{0, 0, 0, 0}, 3 * every},
		"continues":      {[]time.Duration{0, every, every, every}, []uint64{1, 1, 2, 2}, every},
		"the clock":      {[]time.Duration{0, time.Hour, 0}, []uint64{1, 1, 1}, 2 * every},
		"late, and late": {[]time.Duration{0, time.Hour, time.Hour}, []uint64{1, 1, 1}, 4 * every},
	} {
		var p pulse
		var got time.Duration
		now := time.Now()
		for i, after := range c.looks {
			now = now.Add(after)
			got = p.observe(now, c.beats[i], every)
		}
		if got != c.silent {
			t.Errorf("%s: silent for %v, want %v", name, got, c.silent)
		}
	}
}

func TestPageReport(t *testing.T) {
	m := newMemory(t)
	p, err := m.shared()
	if err != nil {
		t.Fatal(err)
	}
	same, err := m.shared() // as another process has it
	if err != nil {
		t.Fatal(err)
	}
	if got := p.report() + (*sharedMemory)(nil).report(); got != "" {
		t.Errorf("nothing was replaced: %q", got)
	}
	if err := m.keep([]byte(strings.Repeat("x", maxState))); err != nil {
		t.Fatal(err)
	}
	same.noteReplaced(workerHalf, wasStopped)
	same.noteReplaced(workerHalf, wasStuck)
	p.noteReplaced(supervisorHalf, hasEnded)
	if err := m.keep([]byte(strings.Repeat("y", maxState))); err != nil {
		t.Fatal(err)
	}
	at := int(clock.SinceBoot().Seconds())
	want := fmt.Sprintf("agent supervisor replaced 1 reason ended at %d\nagent worker replaced 2 reason stuck at %d\n", at, at)
	if got := p.report(); got != want && int(clock.SinceBoot().Seconds()) == at {
		t.Errorf("got %q, want %q", got, want)
	}
	if b, err := m.load(); err != nil || len(b) != maxState || b[maxState-1] != 'y' {
		t.Errorf("the state beside it: %d bytes, %v", len(b), err)
	}
}

// A report that cannot be written is renamed as stale, with one message; that file is removed when
// there is room again, and no other file remains.
func TestReportFileOnFullFileSystem(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNS, func() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := unix.Mount("test", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Unmount(dir, 0) }()
		var r reportFile
		log, path, filler := &lines{}, filepath.Join(dir, "status"), filepath.Join(dir, "filler")
		holds := func(when string, want map[string]string) {
			t.Helper()
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, e := range entries {
				b, _ := os.ReadFile(filepath.Join(dir, e.Name()))
				got[e.Name()] = string(b[:min(len(b), 9)])
			}
			if delete(got, "filler"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		for range 2 {
			r.write(path, "first", log)
			holds("room", map[string]string{"status": "first"})
			if err := os.WriteFile(filler, make([]byte, 128<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			for range 3 {
				r.write(path, "second", log)
				holds("no room", map[string]string{"status.stale": "first"})
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
		if len(*log) != 2 || !strings.Contains((*log)[0], "no space left on device") {
			t.Errorf("log %q", *log)
		}
		r = reportFile{} // of another worker
		r.write(path, "third", log)
		holds("room, another worker", map[string]string{"status": "third"})
	})
}

// A beat writes a report that could not be written, and none that could.
func TestBeatWritesAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	log := &lines{}
	w := &worker{uplinks: uplink.New(log, nil, nil), log: log, memory: newMemory(t), dir: dir}
	var err error
	if w.shared, err = w.memory.shared(); err != nil {
		t.Fatal(err)
	}
	w.changed([]recovery.Status{})
	if w.beat(); len(*log) != 1 {
		t.Errorf("log %q", *log)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.beat()
	b, err := os.ReadFile(filepath.Join(dir, statusName))
	if err != nil || !strings.HasPrefix(string(b), "since-boot ") {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.Remove(filepath.Join(dir, statusName)); err != nil {
		t.Fatal(err)
	}
	w.beat()
	if all, err := os.ReadDir(dir); err != nil || len(all) != 0 {
		t.Errorf("written at each beat: %v, %v", all, err)
	}
	if got := w.shared.beats[workerHalf].Load(); got != 3 {
		t.Errorf("%d beats", got)
	}
}

// A supervisor that ends at its start, or whose first beat does not come in time, is an error, and
// no process remains.
func TestSupervisorWithoutFirstBeat(t *testing.T) {
	w := &worker{timing: timing{startLimit: 300 * time.Millisecond}, memory: newMemory(t)}
	var err error
	if w.shared, err = w.memory.shared(); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{"true": "ended at once", "yes": "did not begin within 300ms"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		p := &Process{pidfd: -1}
		if p.Pid, err = fork(path, "x", &unix.SysProcAttr{PidFD: &p.pidfd}, null.Fd()); err != nil {
			t.Fatal(err)
		}
		if err := w.awaitFirstBeat(p, 0); err == nil || err.Error() != want {
			t.Errorf("%s: %v", program, err)
		}
		if err := unix.Kill(p.Pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%s is left behind: %v", program, err)
		}
		_ = null.Close()
	}
	w.shared.beat(supervisorHalf)
	if err := w.awaitFirstBeat(&Process{Pid: -1, pidfd: -1}, 0); err != nil {
		t.Error(err)
	}
}

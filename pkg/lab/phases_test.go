package lab

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a boot prints, one phase after the other.
const (
	linuxLine  = "[    0.000000] Linux version 6.1.0\n"
	runInit    = "[    1.000000] Run /init as init process\n"
	ourInit    = "iscsiroot: dhcp: asking\n"
	startsInit = "iscsiroot: starting /sbin/init\n"
	rebootLine = "[   20.000000] reboot: Power down\n"
)

// TestStopwatch: each text comes a second of the wall's and half a second of the processor's time
// after the one before, and a last second follows. The phases' letters tell in which each of them
// was spent.
func TestStopwatch(t *testing.T) {
	letters := map[rune]Phase{'f': PhaseFirmware, 'k': PhaseKernel, 'i': PhaseInit, 's': PhaseSystem, 't': PhaseTeardown}
	for name, tt := range map[string]struct {
		texts []string
		spent string
	}{
		"nothing":            {nil, "f"},
		"no mark":            {[]string{"SeaBIOS\n", "Booting from ROM..\n"}, "fff"},
		"a boot":             {[]string{"SeaBIOS\n", linuxLine, runInit, ourInit, startsInit, "login:\n", rebootLine, "x\n"}, "ffkiisstt"},
		"two boots":          {[]string{linuxLine, runInit, startsInit, rebootLine, "SeaBIOS\n", linuxLine, runInit, startsInit}, "fkisttkis"},
		"kexec":              {[]string{linuxLine, runInit, linuxLine, runInit, startsInit}, "fkikis"},
		"quiet kernel":       {[]string{ourInit, startsInit, "login:\n"}, "fiss"},
		"quiet init":         {[]string{startsInit, rebootLine}, "fst"},
		"quiet kernel twice": {[]string{ourInit, startsInit, ourInit, rebootLine}, "fisst"},
		"another init":       {[]string{linuxLine, "[    1.0] Run /sbin/init as init process\n", rebootLine}, "fkkt"},
		"a panic's reboot":   {[]string{linuxLine, "[    1.0] Kernel panic\n", "[    2.0] reboot: machine restart\n", linuxLine}, "fkktk"},
		"firmware's reboot":  {[]string{"[    1.0] reboot: no\n"}, "ff"},
		"all in one":         {[]string{linuxLine + runInit + startsInit + rebootLine}, "ft"},
		"in pieces":          {[]string{"[    0.0] Linux ver", "sion 6.1.0\n", "[ 1.0] Run /init as init proc", "ess", "\niscsiroot: starting ", "/sbin/init\n"}, "ffkkiis"},
		"the same line":      {[]string{"iscsiroot: starting /sbin/init", " (again)", "\n"}, "fsss"},
		"a line without end": {[]string{linuxLine, "[    1.000000] Run /init as init process"}, "fki"},
		"marks of a system":  {[]string{linuxLine, runInit, startsInit, "# echo iscsiroot: hello\n", "Run /init as init process\n"}, "fkisss"},
	} {
		t.Run(name, func(t *testing.T) {
			var at, cpu time.Duration
			w := stopwatch{cpu: func() time.Duration { return cpu }}
			tick := func() { at, cpu = at+time.Second, cpu+time.Second/2 }
			text := ""
			for _, more := range tt.texts {
				tick()
				text += more
				w.see([]byte(text), at)
			}
			tick()
			w.enter(w.phase, at)
			var want Phases
			for _, letter := range tt.spent {
				want[letters[letter]].Wall += time.Second
				want[letters[letter]].CPU += time.Second / 2
			}
			if w.took != want {
				t.Errorf("took %v, want %v", w.took, want)
			}
			if sum := w.took.Sum(); sum != (Took{at, cpu}) {
				t.Errorf("together %v of %v and %v", sum, at, cpu)
			}
		})
	}
}

// A process whose clock can no longer be read, or that has none, does not set the time back.
func TestStopwatchWithoutClock(t *testing.T) {
	for name, cpu := range map[string]func() time.Duration{"none": nil, "unreadable": func() time.Duration { return 0 }} {
		w := stopwatch{cpu: cpu, since: Took{Wall: time.Second, CPU: time.Second}}
		w.enter(PhaseKernel, 2*time.Second)
		if got := w.took[PhaseFirmware]; got != (Took{Wall: time.Second}) {
			t.Errorf("%s: took %v", name, got)
		}
	}
}

// The clock of a process is that of getrusage(2); one that has ended has none.
func TestCPUClock(t *testing.T) {
	m := startProcess(t, "sh", "-c", "while :; do :; done")
	for clock := cpuClock(m.Pid()); clock() <= 0; { // it has not run yet
		if t.Context().Err() != nil {
			t.Fatal("the clock of a process that runs stands still")
		}
		runtime.Gosched()
	}
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := cpuClock(m.Pid())(); got != 0 {
		t.Errorf("the clock of a process that was reaped shows %v", got)
	}
}

// A Console feeds its stopwatch with what is printed, however it comes.
func TestConsoleTakesTimes(t *testing.T) {
	c := newConsole(nil)
	for b := range strings.SplitSeq(linuxLine+runInit, "") {
		if _, err := c.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch.phase != PhaseInit {
		t.Errorf("phase %d, want that of /init", c.watch.phase)
	}
}

// startProcess starts a process that ends with the test.
func startProcess(t *testing.T, name string, args ...string) *Process {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := newProcess(cmd)
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

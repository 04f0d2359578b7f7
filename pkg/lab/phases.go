package lab

import (
	"bytes"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Phase is a part of a machine's run.
type Phase int

// The phases of a boot, in their order. A machine that boots again has them again.
const (
	// PhaseFirmware ends with the kernel's first line. It includes QEMU's own start.
	PhaseFirmware Phase = iota
	// PhaseKernel ends with the start of /init.
	PhaseKernel
	// PhaseInit ends when iscsiroot's init starts the real one.
	PhaseInit
	// PhaseSystem is the real system, or what a test has in its place.
	PhaseSystem
	// PhaseTeardown begins when the kernel halts or reboots, or when the host ends the machine.
	PhaseTeardown
	phaseCount
)

// Took is what a phase took: time, and of it the host's processor time.
type Took struct{ Wall, CPU time.Duration }

// Phases are the sums of each [Phase] of a machine, or of several.
type Phases [phaseCount]Took

// Add adds those of another machine.
func (p *Phases) Add(other Phases) {
	for i, t := range other {
		p[i].Wall += t.Wall
		p[i].CPU += t.CPU
	}
}

// Sum is what all phases took together.
func (p Phases) Sum() (sum Took) {
	for _, t := range p {
		sum.Wall += t.Wall
		sum.CPU += t.CPU
	}
	return sum
}

// marks are the texts on the console that begin a phase, if the machine is in a phase before it. A
// kernel that is quiet has no first line: what it takes counts as the phase before then.
var marks = []struct {
	text   string
	begins Phase
	after  []Phase
}{
	{"] Linux version ", PhaseKernel, []Phase{PhaseFirmware, PhaseInit, PhaseSystem, PhaseTeardown}}, // init: kexec
	{"Run /init as init process", PhaseInit, []Phase{PhaseFirmware, PhaseKernel}},
	{"iscsiroot: ", PhaseInit, []Phase{PhaseFirmware, PhaseKernel}},
	{": starting /", PhaseSystem, []Phase{PhaseFirmware, PhaseKernel, PhaseInit}},
	{"] reboot: ", PhaseTeardown, []Phase{PhaseKernel, PhaseInit, PhaseSystem}},
}

// stopwatch takes the times of the phases. It is guarded by the lock of its Console.
type stopwatch struct {
	cpu   func() time.Duration
	phase Phase
	since Took
	took  Phases
	from  int // marks are looked for from here on in the console's text
}

// see looks for marks in new text of the console.
func (w *stopwatch) see(text []byte, at time.Duration) {
	for w.from < len(text) {
		rest := text[w.from:]
		end := bytes.IndexByte(rest, '\n')
		line := rest
		if end >= 0 {
			line = rest[:end]
		}
		for _, m := range marks {
			if bytes.Contains(line, []byte(m.text)) && slices.Contains(m.after, w.phase) {
				w.enter(m.begins, at)
			}
		}
		if end < 0 {
			return // the rest of the line is yet to come
		}
		w.from += end + 1
	}
}

// enter ends the phase that is now.
func (w *stopwatch) enter(p Phase, at time.Duration) {
	now := Took{Wall: at, CPU: w.since.CPU}
	if w.cpu != nil {
		now.CPU = max(w.cpu(), w.since.CPU)
	}
	w.end(now)
	w.phase = p
}

// end adds up what the phase that is now took.
func (w *stopwatch) end(now Took) {
	w.took[w.phase].Wall += now.Wall - w.since.Wall
	w.took[w.phase].CPU += now.CPU - w.since.CPU
	w.since = now
}

// cpuClock reads the processor time of a process that is not reaped, or 0: the id of its clock is
// what clock_getcpuclockid(3) computes (include/linux/posix-timers.h: make_process_cpuclock,
// CPUCLOCK_SCHED).
func cpuClock(pid int) func() time.Duration {
	const sched = 2
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}
}

// Phases is what each phase of the machine took so far.
func (m *Machine) Phases() Phases {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch.enter(m.watch.phase, m.clock())
	return m.watch.took
}

// tearDown notes that the host ends the machine.
func (m *Machine) tearDown() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch.enter(PhaseTeardown, m.clock())
}

// clock is the machine's time, which stands still when it has ended; mu is held.
func (m *Machine) clock() time.Duration {
	if m.ended > 0 {
		return m.ended
	}
	return time.Since(m.start)
}

// stopClock takes the last times, when the machine has ended.
func (m *Machine) stopClock() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = time.Since(m.start)
	state := m.process.cmd.ProcessState
	m.watch.cpu = func() time.Duration { return state.UserTime() + state.SystemTime() }
	m.watch.enter(m.watch.phase, m.ended)
}

package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/debug"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// Options change what Main does; tests use them to inject faults.
type Options struct {
	// Edit, if set, gets the list of steps before it is run.
	Edit func(*Machine, []sequence.Step) []sequence.Step
}

// Main is PID 1: it boots the machine and does not return.
func Main(o Options) {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "iscsiroot: this is the /init of an initramfs and runs as process 1 only: see iscsiroot build --help")
		os.Exit(1)
	}
	m := &Machine{started: time.Now(), cpus: runtime.NumCPU(), reaper: newReaper(), progress: &sequence.Progress{}}
	m.Log = kmsg.Open(kmsg.Paths{}) // standard error, until the kernel's log is there
	defer m.endOnPanic()
	mountErr := mountEarly()
	settings := noteSettings()
	m.Log = kmsg.Open(kmsg.SystemPaths()) // before anything that can panic
	openStdio(m.Log)
	m.wire()
	m.shell = debug.New(m.debugMachine())
	catchSignals(m.reaper, m.ctrlAltDel)
	mountErr = errors.Join(mountErr, ignoreLibcSignals(true), linkModprobe("/"))
	slowMonitor("/proc")
	text, readErr := os.ReadFile("/proc/cmdline")
	m.Line = cmdline.Parse(string(text))
	var planErr error
	var odd []string
	m.params, odd = bootspec.Gather(os.DirFS("/"), m.Line)
	m.Plan, planErr = parse(m.params)
	m.Plan.Warnings = append(odd, m.Plan.Warnings...)
	m.restore = changeSettings(settings, m.Plan.Policy.Panic.Given())
	m.Log.SetDebug(m.Plan.Policy.Debug.V)
	for _, err := range []error{mountErr, readErr} {
		if err != nil {
			m.Log.Errorf("%v", err)
		}
	}
	m.logPlan(string(text))
	for planErr != nil {
		m.fail(&sequence.Failure{Step: "cmdline", Err: planErr, Elapsed: time.Since(m.started)})
		_, planErr = parse(m.params)
	}
	for {
		m.fail(m.run(o))
	}
}

// logPlan logs the plan and its warnings.
func (m *Machine) logPlan(text string) {
	for _, w := range append(cmdline.Limits(text, isKernelParameter), m.Plan.Warnings...) {
		m.Log.Warnf("%s", w)
	}
	for _, line := range m.Plan.Explain() {
		m.Log.Debugf("plan: %s", line)
	}
}

// isKernelParameter reports whether a key may be a parameter of the kernel: those it does not
// recognize are in the environment of init.
func isKernelParameter(key string) bool {
	_, inEnv := os.LookupEnv(key)
	return !inEnv
}

// debugMachine is what the debug shell needs of the machine.
func (m *Machine) debugMachine() debug.Machine {
	return debug.Machine{
		Log:      m.Log,
		Progress: m.progress,
		Plan:     &m.Plan,
		Params:   &m.params,
		Parse:    m.parse,
		Modules:  m.drivers.Changed,
		Refuse:   m.sessions.Refuse,
		Prepare:  m.prepare,
		Start:    m.reaper.start,
		Power:    m.power,
		PowerNow: m.powerNow,
	}
}

// parse makes a plan that this image can do.
func (m *Machine) parse(line cmdline.Line) (bootspec.Plan, error) {
	plan, err := parse(line)
	m.drivers.WithoutMaps(&plan)
	return plan, err
}

// run runs the steps. It returns when one failed permanently.
func (m *Machine) run(o Options) *sequence.Failure {
	events, err := uevent.Listen()
	if err != nil {
		return &sequence.Failure{Step: "uevents", Err: err}
	}
	defer func() { _ = events.Close() }() // the next run, after a failure, has its own
	m.Uevents = events
	steps := m.Steps()
	if o.Edit != nil {
		steps = o.Edit(m, steps)
	}
	r := sequence.Runner{
		Steps:   steps,
		Log:     m.Log,
		Timeout: m.Plan.Policy.Timeout.V,
		Break:   debug.Breakpoints(steps, m.Plan.Policy.Break, m.Log),
		OnBreak: m.shell.OpenBreak,
		OnStuck: m.shell.OfferShell,

		Attention: m.shell.Attention(),
		Progress:  m.progress,
		Beside:    m.sessions.Down,
		OnFailing: m.show,
		OnFailure: func(f *sequence.Failure) (sequence.Resume, bool) { return m.failed(f), true },
	}
	return r.Run(context.Background())
}

// fail shows a failure outside of the steps and ends the boot as the policy sets, unless the boot
// is retried at the shell.
func (m *Machine) fail(f *sequence.Failure) {
	if f == nil {
		f = &sequence.Failure{Step: "switch-root", Err: fmt.Errorf("the last step did not start the real init")}
	}
	m.show(f)
	if resume := m.failed(f); resume.Prepare != nil {
		resume.Prepare()
	}
}

// show shows a failure.
func (m *Machine) show(f *sequence.Failure) {
	for line := range strings.SplitSeq(f.Error(), "\n") {
		m.Log.Errorf("%s", line)
	}
	if f.Hint != "" {
		m.Log.Errorf("hint: %s", f.Hint)
	}
	sequence.LogStack(m.Log, f)
}

// failed handles a failure that was shown. It returns if the boot is resumed at the shell;
// otherwise it ends the boot as the policy sets.
func (m *Machine) failed(f *sequence.Failure) sequence.Resume {
	if m.Plan.Policy.Shell.Given() {
		if resume, ok := m.shell.OpenFailure(f); ok {
			return resume
		}
	}
	m.end()
	return sequence.Resume{}
}

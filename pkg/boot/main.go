package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// Options change what Main does; tests use them to make things go wrong.
type Options struct {
	// Edit, if set, gets the list of steps before it is run.
	Edit func(*Machine, []Step) []Step
}

// Main is PID 1: it boots the machine and does not return.
func Main(o Options) {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "iscsiroot: this is the /init of an initramfs and runs as process 1 only: see iscsiroot build --help")
		os.Exit(1)
	}
	m := &Machine{started: time.Now(), cpus: runtime.NumCPU(), reaper: newReaper(), progress: &Progress{}, offer: offer{attention: make(chan struct{})}}
	defer m.neverDie()
	catchSignals(m.reaper, m.ctrlAltDel)
	mountErr := errors.Join(ignoreLibcSignals(true), mountEarly(), linkModprobe("/"))
	calmMonitor("/proc")
	text, readErr := os.ReadFile("/proc/cmdline")
	m.Line = cmdline.Parse(string(text))
	var planErr error
	var odd []string
	m.params, odd = bootspec.Gather(os.DirFS("/"), m.Line)
	m.Plan, planErr = parse(m.params)
	m.Plan.Warnings = append(odd, m.Plan.Warnings...)
	m.restore = changeSettings(m.Plan.Policy.Panic.Given())
	m.Log = kmsg.Open(kmsg.SystemPaths())
	m.Log.SetDebug(m.Plan.Policy.Debug.V)
	openStdio(m.Log)
	for _, err := range []error{mountErr, readErr} {
		if err != nil {
			m.Log.Errorf("%v", err)
		}
	}
	m.say(string(text))
	for planErr != nil {
		m.fail(&Failure{Step: "cmdline", Err: planErr, Elapsed: time.Since(m.started)})
		_, planErr = parse(m.params)
	}
	for {
		m.fail(m.run(o))
	}
}

// say shows what the plan is and what is odd about it.
func (m *Machine) say(text string) {
	for _, w := range append(cmdline.Limits(text, kernelKnows), m.Plan.Warnings...) {
		m.Log.Warnf("%s", w)
	}
	for _, line := range m.Plan.Explain() {
		m.Log.Debugf("plan: %s", line)
	}
}

// kernelKnows tells that a key is the kernel's own, as far as we know: it never
// reached the environment if the environment does not have it.
func kernelKnows(key string) bool {
	_, inEnv := os.LookupEnv(key)
	return !inEnv
}

// run runs the steps. It returns when one failed for good.
func (m *Machine) run(o Options) *Failure {
	events, err := uevent.Listen()
	if err != nil {
		return &Failure{Step: "uevents", Err: err}
	}
	m.Uevents = events
	steps := m.Steps()
	if o.Edit != nil {
		steps = o.Edit(m, steps)
	}
	r := Runner{
		Steps:   steps,
		Log:     m.Log,
		Timeout: m.Plan.Policy.Timeout.V,
		Break:   m.breakpoints(steps),
		OnBreak: m.openBreak,
		OnStuck: m.makeOffer,

		Attention: m.offer.attention,
		Progress:  m.progress,
		OnFailure: func(f *Failure) (Resume, bool) { return m.failed(f), true },
	}
	return r.Run(context.Background())
}

// fail shows a failure of no step and ends the boot as the policy says, unless
// a person at the shell wants to try again.
func (m *Machine) fail(f *Failure) {
	if f == nil {
		f = &Failure{Step: "switch-root", Err: fmt.Errorf("the list of steps came to its end")}
	}
	if resume := m.failed(f); resume.Prepare != nil {
		resume.Prepare()
	}
}

// failed shows a failure. It returns if a person at the shell wants to go on;
// otherwise it ends the boot as the policy says.
func (m *Machine) failed(f *Failure) Resume {
	for line := range strings.SplitSeq(f.Error(), "\n") {
		m.Log.Errorf("%s", line)
	}
	if f.Hint != "" {
		m.Log.Errorf("hint: %s", f.Hint)
	}
	m.showStack(f.Err)
	if m.Plan.Policy.Shell.Given() {
		if resume, ok := m.openFailure(f); ok {
			return resume
		}
	}
	m.end()
	return Resume{}
}

// emergencyDelay is for how long a failure stays on the screen.
const emergencyDelay = 60 * time.Second

// end reboots, powers off or halts after a while.
func (m *Machine) end() {
	action := m.Plan.Policy.Emergency.Or(bootspec.Reboot)
	m.Log.Errorf("%s in %d s: rd.emergency=reboot|poweroff|halt decides this, rd.shell opens a shell instead", action, int(emergencyDelay.Seconds()))
	time.Sleep(emergencyDelay)
	m.power(action)
}

// ctrlAltDel reboots as the key combination asks for.
func (m *Machine) ctrlAltDel() {
	m.Log.Errorf("ctrl-alt-del: rebooting")
	m.power(bootspec.Reboot)
}

// power writes everything back and ends the machine. It does not return.
func (m *Machine) power(action bootspec.Emergency) {
	unix.Sync()
	if err := m.powerNow(action); err != nil {
		m.Log.Errorf("%s: %v: switch the machine off by hand", action, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// flushLimit is for how long the last lines are waited for, where the log writes
// to terminals itself.
const flushLimit = time.Second

// powerNow ends the machine, and returns only if that cannot be.
func (m *Machine) powerNow(action bootspec.Emergency) error {
	commands := map[bootspec.Emergency]int{
		bootspec.Reboot:   unix.LINUX_REBOOT_CMD_RESTART,
		bootspec.PowerOff: unix.LINUX_REBOOT_CMD_POWER_OFF,
		bootspec.Halt:     unix.LINUX_REBOOT_CMD_HALT,
	}
	m.Log.Flush(flushLimit)
	return unix.Reboot(commands[action])
}

package debug

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
)

// Machine is what the shell needs of the machine that is booted.
type Machine struct {
	Log      sequence.Logger
	Progress *sequence.Progress
	// Plan is the current plan, and Params the parameters that it is made of. Only Prepare
	// changes them.
	Plan   *bootspec.Plan
	Params *cmdline.Line
	// Parse makes a plan of parameters.
	Parse func(params cmdline.Line) (bootspec.Plan, error)
	// Modules names the steps that must be repeated because of the module parameters in new
	// parameters.
	Modules func(params cmdline.Line) []string
	// Refuse returns why steps cannot be repeated any more; nil: they can.
	Refuse func(steps []string) error
	// Prepare sets a new plan and undoes what repeated steps would otherwise find done. It is
	// called while no step runs, and returns the steps that need not be repeated.
	Prepare func(params cmdline.Line, plan bootspec.Plan, again []string) []string
	// Start starts a child of PID 1 by fork, and returns where the child's status will be sent.
	Start func(fork func() (int, error)) (pid int, status <-chan unix.WaitStatus, err error)
	// Power ends the machine in order and does not return. PowerNow writes nothing back, and
	// returns only if it cannot end it.
	Power    func(bootspec.Emergency)
	PowerNow func(bootspec.Emergency) error
}

// Shell is the debug shell as PID 1 opens it, one at a time.
type Shell struct {
	m       Machine
	offer   offer
	history []string // at the last shell
}

// New returns the shell of a machine.
func New(m Machine) *Shell { return &Shell{m: m, offer: offer{attention: make(chan struct{})}} }

// Attention receives a value when Enter is pressed after OfferShell.
func (s *Shell) Attention() <-chan struct{} { return s.offer.attention }

// OpenBreak opens the shell at a break point, or because Enter was pressed while a step keeps
// failing, and returns how the boot goes on.
func (s *Shell) OpenBreak(step string) sequence.Resume {
	greeting := "break before step " + step
	if step == "" {
		retrying := s.m.Progress.Retrying()
		if len(retrying) == 0 {
			s.stopOffer()
			return sequence.Resume{} // the step has succeeded meanwhile
		}
		step = retrying[0]
		greeting = fmt.Sprintf("step %s is being retried: %v", step, s.m.Progress.Failure(step))
	}
	s.m.Log.Infof("%s: exit continues", greeting)
	resume, _ := s.open(greeting+"\n"+advice(step)+"help lists the commands; exit continues the boot\n", step)
	s.m.Log.Infof("continuing with step %s", step)
	return resume
}

// OpenFailure opens the shell for a failure; ok: the boot goes on nevertheless.
func (s *Shell) OpenFailure(f *sequence.Failure) (resume sequence.Resume, ok bool) {
	from := s.m.Plan.Policy.Shell.From
	s.m.Log.Errorf("opening a shell (%s): retry tries again, exit gives up", from)
	text := f.Error() + "\n"
	if f.Hint != "" {
		text += "hint: " + f.Hint + "\n"
	}
	return s.open(text+advice(f.Step)+"help lists the commands; retry tries again, exit gives up\n", f.Step)
}

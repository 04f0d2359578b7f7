package boot

import (
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/debug"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// sysroot is where root is mounted before it becomes "/".
const sysroot = "/sysroot"

// Machine is what the steps hand on to each other. A field is written by one
// step and read by those that need that step, so no lock is needed.
type Machine struct {
	Log     *kmsg.Logger
	Line    cmdline.Line
	Plan    bootspec.Plan
	Uevents *uevent.Listener

	started time.Time
	cpus    int // that run us
	reaper  *reaper

	params   cmdline.Line // Line, the image's policy, and what was given at the shell
	progress *sequence.Progress
	shell    *debug.Shell
	adopted  bool   // root was mounted there
	restore  func() // puts the kernel's settings back

	release    string // of the running kernel
	loader     *modload.Loader
	index      *kmod.Index
	coldplug   *coldplug
	loads      loads            // of the coldplug; go on between steps
	networkUp  flag             // the steps that load drivers wait for it
	network    *network.Network // from the step network's first try
	resolvConf bool             // the image had no /etc/resolv.conf, and has ours
	nics       []string         // that sessions go by, from the hand-over on; none: all
	facts      bootspec.NetFacts
	spec       bootspec.Spec
	transport  *kernel.Transport
	reserved   []*kernel.Session
	sessions   []*session.Session
	logins     *logins
	agent      *agent.Process // from its start until it has the sessions
	handedOver bool           // the agent has the sessions
	// guard recovers the sessions until the agent has them. The runner reads it
	// beside the steps.
	guard    atomic.Pointer[recovery.Guard]
	disks    []disk
	sought   map[lunOf]bool // LUNs that a search has attached
	calls    calls
	luns     lunKernel // of a test; nil: the kernel itself
	root     candidate
	ids      sessionIDs  // of reserved
	ending   atomic.Bool // the machine is being switched off
	initPath string
	mounts   []string
	// modulesTook is processor time, as a time.Duration.
	modulesTook atomic.Int64
}

// Steps is the boot. Names of dracut's break points are in breakpoints.go.
func (m *Machine) Steps() []sequence.Step {
	return []sequence.Step{
		{Name: "modules", Run: m.openModules},
		{Name: "drivers", Needs: []string{"modules"}, Run: m.loadDrivers},
		{Name: "late-drivers", Needs: []string{"drivers"}, Run: m.loadLateDrivers},
		{Name: "network", Needs: []string{"modules"}, Timeout: networkTry, Patience: networkPatience, Run: m.bringUpNetwork},
		{Name: "iscsi-modules", Needs: besideDrivers(m.cpus), Run: m.loadISCSI},
		{Name: "fs-modules", Needs: []string{"iscsi-modules"}, Run: m.loadFilesystems},
		{Name: "session", Needs: []string{"iscsi-modules"}, Timeout: 30 * time.Second, Run: m.createSessions},
		{Name: "login", Needs: []string{"session", "network"}, Run: m.login},
		{Name: "agent", Needs: []string{"session"}, Run: m.startAgent},
		{Name: "disk", Needs: []string{"login"}, Timeout: 20 * time.Second, Patience: 30 * time.Second, Run: m.findDisks},
		{Name: "root", Needs: []string{"disk", "fs-modules", "agent"}, Run: m.findRoot},
		{Name: "mount", Needs: []string{"root"}, Run: m.mountRoot},
		{Name: "check", Needs: []string{"mount"}, Run: m.checkRoot},
		{Name: "hand-over", Needs: []string{"check", "agent"}, Run: m.handOver},
		{Name: "switch-root", Needs: []string{"hand-over", "late-drivers"}, Run: m.switchRoot},
	}
}

// besideDrivers is what modules need that no NIC waits for. One processor
// would only share its time between them and the NIC's driver, after which
// there is time enough: the link takes seconds.
func besideDrivers(cpus int) []string {
	if cpus == 1 {
		return []string{"modules", "drivers"}
	}
	return []string{"modules"}
}

package boot

import (
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/debug"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// sysroot is where root is mounted before it becomes "/".
const sysroot = rootfs.Sysroot

// Machine is the wiring of the steps: what each of them hands on to those that come
// after it. A field, also one of a stage's state, is written by one step and read by
// those that need that step, so no lock is needed.
type Machine struct {
	Log     *kmsg.Logger
	Line    cmdline.Line
	Plan    bootspec.Plan
	Uevents *uevent.Listener

	// Of PID 1.
	started  time.Time
	cpus     int // that run us
	reaper   *reaper
	params   cmdline.Line // Line, the image's policy, and what was given at the shell
	progress *sequence.Progress
	shell    *debug.Shell
	restore  func()      // puts the kernel's settings back
	ending   atomic.Bool // the machine is being switched off

	// Of the stages. The network makes spec of Plan.
	modules   moduleState
	net       networkState
	spec      bootspec.Spec
	initiator initiatorState
	sessions  []*session.Session // of spec, made of what initiator has reserved
	logins    *logins
	// guard recovers the sessions until the agent has them. The runner reads it
	// beside the steps.
	guard   atomic.Pointer[recovery.Guard]
	agent   agentState
	storage *rootfs.Storage
	root    rootfs.Volume // from the step root
	adopted bool          // root was mounted at the shell
	start   rootfs.Start  // from the step check
}

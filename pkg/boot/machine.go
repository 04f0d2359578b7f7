package boot

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/debug"
	"github.com/iscsiroot/iscsiroot/pkg/boot/drivers"
	"github.com/iscsiroot/iscsiroot/pkg/boot/login"
	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// sysroot is where root is mounted before it becomes "/".
const sysroot = rootfs.Sysroot

// Machine is the wiring of the stages. Each of them is a value with the steps as its methods, and
// gets the results that it needs of those before it. What a step returns is written here by that
// step, and read by steps that need it, so no lock is needed.
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

	// The stages.
	drivers  *drivers.Drivers
	netup    *netup.Stage
	sessions *login.Sessions
	storage  *rootfs.Storage

	// What the stages return.
	up      sequence.Flag // the network is up: from the step network on
	net     netup.Result  // from the step network
	root    rootfs.Volume // from the step root
	adopted bool          // root was mounted at the shell
	start   rootfs.Start  // from the step check
}

// wire makes the stages. What they share with the machine and with each other are pointers, because
// a retry at the shell changes the plan.
func (m *Machine) wire() {
	m.drivers = drivers.New(drivers.Config{
		Log: m.Log, Plan: &m.Plan, Up: &m.up,
		Uevents: func() *uevent.Listener { return m.Uevents },
	})
	m.netup = netup.New(netup.Config{Log: m.Log, Plan: &m.Plan, Up: &m.up, Drivers: m.drivers})
	m.sessions = login.New(login.Config{
		Log: m.Log, Plan: &m.Plan, Net: &m.net, Release: m.drivers.Release, Start: m.reaper.start,
		Late:        func(ctx context.Context, i int) { m.storage.LateDisks(ctx, i) },
		LUNsOfPaths: func(i int) []uint64 { return m.storage.LUNsOfPaths(i) },
	})
	m.storage = rootfs.New(rootfs.Config{
		Log: m.Log, Sessions: m.sessions, Uevents: func() rootfs.Uevents { return m.Uevents },
		Load: m.drivers.Load, Started: m.started, Spec: &m.net.Spec, Plan: &m.Plan,
	})
	m.sessions.Maps = m.storage.Maps()
}

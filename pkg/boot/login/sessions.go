// Package login is the stage of the boot that handles the sessions: it makes them in the kernel,
// logs in to their targets, recovers them when a connection is lost, and hands them over to the
// agent.
package login

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/netup"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
)

// Config is the input of the stage.
type Config struct {
	Log sequence.Logger
	// Plan is the plan of the boot, Net the network with the Spec. They change only while no
	// step runs.
	Plan *bootspec.Plan
	Net  *netup.Result
	// Release returns the running kernel's, for messages.
	Release func() string
	// Late is called for a target whose login succeeds after the step "login", and looks for
	// its disks: i is its index in the Spec.
	Late func(ctx context.Context, i int)
	// Start starts a child of process 1: fork returns its pid. Its exit status is sent to the
	// channel that start returns.
	Start func(fork func() (int, error)) (pid int, status <-chan unix.WaitStatus, err error)
	// Maps are the multipath maps of the sessions' disks.
	Maps paths.Maps
	// LUNsOfPaths returns the LUNs that other paths to the i-th session's target have in use,
	// in the kernel's numbering; may be nil.
	LUNsOfPaths func(i int) []uint64
}

// Sessions are those of the targets, in the order of Spec.Targets.
type Sessions struct {
	Config
	transport *kernel.Transport
	reserved  []*kernel.Session
	ids       atomic.Pointer[[]uint32] // of reserved; the end of the machine reads them at any time
	list      []*session.Session       // those of the Spec: the first of reserved
	logins    *logins
	// guard recovers the sessions until the agent has them. The runner reads it beside the
	// steps.
	guard      atomic.Pointer[recovery.Guard]
	paths      *pathKeeper    // beside guard; nil: there is none
	process    *agent.Process // from its start until it has the sessions
	handedOver bool           // the agent has the sessions
}

// New returns a stage without sessions.
func New(c Config) *Sessions { return &Sessions{Config: c} }

// Create is the step "session": it makes the sessions before any login, in the order of the
// targets, so that their ids and with them the ISIDs are the same at every boot.
func (ss *Sessions) Create(ctx context.Context) error {
	if ss.handedOver {
		return ErrHandedOver
	}
	if err := ss.openTransport(); err != nil {
		return err
	}
	return ss.reserve(ctx, len(ss.Plan.Sessions()))
}

// openTransport opens the socket to the kernel's iSCSI, or replaces one that has failed; the
// sessions then use the new one.
func (ss *Sessions) openTransport() error {
	if ss.transport != nil && ss.transport.Err() == nil {
		return nil
	}
	t, err := kernel.Open()
	if errors.Is(err, os.ErrNotExist) {
		return sequence.WithHint(err, "the image must hold iscsi_tcp for kernel "+ss.Release()+": build it with iscsiroot build")
	} else if err != nil {
		return err
	}
	if ss.transport != nil {
		ss.Log.Warnf("session: %v: opening the kernel's iSCSI again", ss.transport.Err())
		_ = ss.transport.Close()
	}
	if guard := ss.guard.Swap(nil); guard != nil {
		guard.Stop()
	}
	past := ss.paths.stop()
	for i, s := range ss.reserved {
		ss.reserved[i] = t.Migrate(s)
	}
	ss.list = nil // they are among the reserved ones
	ss.transport = t
	ss.paths = ss.startPaths(past)
	ss.guard.Store(recovery.StartGuard(t, ss.Log, nil, ss.paths.Update))
	return nil
}

// reserve makes sessions until there are n.
func (ss *Sessions) reserve(ctx context.Context, n int) error {
	ss.reserved = slices.DeleteFunc(ss.reserved, (*kernel.Session).Destroyed)
	for len(ss.reserved) < n {
		s, err := session.Reserve(ctx, ss.transport)
		if err != nil {
			return err
		}
		ss.reserved = append(ss.reserved, s)
	}
	var ids []uint32
	for _, s := range ss.reserved {
		ids = append(ids, s.SID)
	}
	ss.ids.Store(&ids)
	return nil
}

// IDs returns those of all sessions that this boot has made. It is safe for concurrent use: the
// machine can be switched off at any time.
func (ss *Sessions) IDs() []uint32 {
	if p := ss.ids.Load(); p != nil {
		return *p
	}
	return nil
}

// End prepares another login to the same targets, if loggedIn, or to others. If others, the
// sessions are destroyed.
func (ss *Sessions) End(loggedIn, others bool) {
	if loggedIn || others {
		limited, cancel := context.WithTimeout(context.Background(), loginsEnd)
		defer cancel()
		if err := ss.logins.end(limited); err != nil {
			ss.Log.Errorf("login: a scan that is in a system call does not end: the login may wait for it")
		}
		ss.unguard()
	}
	for _, s := range ss.list {
		var err error
		switch {
		case others:
			err = s.Destroy(context.Background())
		case loggedIn:
			err = s.Stop(context.Background())
		}
		if err != nil {
			ss.Log.Debugf("session %d: %v", s.SID, err)
		}
	}
	if others {
		ss.list = nil
	}
}

// guardEnds is for how long a login that is under way is waited for.
const guardEnds = 2 * time.Second

// Abandon ends the recovery of the sessions before the machine is switched off.
func (ss *Sessions) Abandon() {
	if guard := ss.guard.Swap(nil); guard != nil {
		_ = shutdown.Within(guardEnds, func(context.Context) error { guard.Stop(); return nil })
	}
}

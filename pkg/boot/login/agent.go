package login

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
)

// StartAgent is the step "agent": it starts the agent before the real root is mounted, because its
// mount namespace is a copy of this one. If it cannot be started now, the hand-over tries again.
func (ss *Sessions) StartAgent(context.Context) error {
	if ss.process != nil || ss.handedOver {
		return nil
	}
	if err := ss.launchAgent(); err != nil {
		ss.Log.Warnf("%v: trying again before the real system starts", err)
	}
	return nil
}

func (ss *Sessions) launchAgent() (err error) {
	ss.process, err = agent.Launch(func(fork func() (int, error)) error {
		_, _, err := ss.Start(fork)
		return err
	})
	return err
}

// agentTimeout is for how long the boot waits for the agent, agentTries how often it is started.
const (
	agentTimeout = 10 * time.Second
	agentTries   = 3
)

// loginsEnd is for how long the end of late logins and scans is waited for.
const loginsEnd = 2 * time.Second

// EndLate ends the logins and scans that are under way. A scan that is in a system call does not
// end as long as its session is down, and the kernel cannot start the real init before it does
// (fs/exec.c: de_thread): that session is given up.
func (ss *Sessions) EndLate(ctx context.Context) {
	for _, i := range ss.logins.pending() {
		if first := ss.firstPath(i); first != i || slices.ContainsFunc(ss.list[i+1:], func(s *session.Session) bool { return s.Target == ss.list[i].Target }) {
			ss.Log.Warnf("a path to target %s is not logged in: starting the real system without it, the agent continues the login", ss.list[i].Target)
			continue
		}
		ss.Log.Warnf("target %s is not logged in: starting the real system without it, the agent continues the logins", ss.list[i].Target)
	}
	limited, cancel := context.WithTimeout(ctx, loginsEnd)
	defer cancel()
	if ss.logins.end(limited) == nil || ctx.Err() != nil {
		return
	}
	for _, i := range ss.logins.pending() {
		s := ss.list[i]
		if !s.At().IsValid() { // it was never logged in
			continue
		}
		ss.Log.Errorf("session %d to %s: the connection was lost during a scan: closing the session", s.SID, s.Target)
		if err := shutdown.Within(loginsEnd, func(ctx context.Context) error { return ss.close(ctx, s) }); err != nil {
			ss.Log.Errorf("session %d to %s: %v", s.SID, s.Target, err)
		}
		ss.logins.giveUp(i)
	}
}

// close ends a session, so that system calls that wait for its disks fail.
func (ss *Sessions) close(ctx context.Context, s *session.Session) error {
	if guard := ss.guard.Load(); guard != nil {
		if err := guard.Remove(s); err != nil {
			return err
		}
	}
	return s.End(ctx)
}

// HandOver hands the sessions over to the agent, in any state. If that fails, the boot continues,
// with an error in the log. It fails only with ctx.
func (ss *Sessions) HandOver(ctx context.Context, uplinks []uplink.Uplink) error {
	if ss.handedOver {
		return nil
	}
	var err error
	for range agentTries {
		if err = ss.handOverTo(ctx, uplinks); err == nil {
			ss.handedOver = true
			return nil
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		ss.Log.Warnf("agent: %v: starting another one", err)
	}
	ss.Log.Errorf("agent: %v: the sessions will not be recovered once the real system runs", err)
	return nil
}

// handOverTo starts an agent if there is none and hands the sessions over to it. Until it has
// answered process 1 recovers them, but it stops listening to the kernel's events first: two
// listeners would be two owners.
func (ss *Sessions) handOverTo(ctx context.Context, uplinks []uplink.Uplink) error {
	if ss.process == nil {
		if err := ss.launchAgent(); err != nil {
			return err
		}
	}
	var past []recovery.Status
	if guard := ss.guard.Swap(nil); guard != nil {
		past = guard.Stop()
	}
	maps := ss.paths.stop()
	state, err := ss.state(ctx, past, maps, uplinks)
	if err == nil {
		err = ss.listen(false)
	}
	if err != nil {
		clear(state)
		return errors.Join(err, ss.guardAgain(past, maps))
	}
	limited, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	err = ss.process.HandOver(limited, state)
	clear(state) // there are secrets in it
	if err == nil {
		if ss.transport != nil {
			_ = ss.transport.Close()
		}
		_ = ss.process.Close()
		ss.process, ss.transport = nil, nil
		return nil
	}
	// HandOver has ended the agent: it cannot act at the same time as process 1 or the next
	// one.
	_ = ss.process.Close()
	ss.process = nil
	return errors.Join(err, ss.guardAgain(past, maps))
}

// guardAgain recovers the sessions here again after a hand-over that failed.
func (ss *Sessions) guardAgain(past []recovery.Status, maps paths.Memory) error {
	if err := ss.listen(true); err != nil || ss.transport == nil {
		return err
	}
	ss.paths = ss.startPaths(maps)
	guard := recovery.StartGuard(ss.transport, ss.Log, past, ss.paths.Update)
	ss.guard.Store(guard)
	for i, s := range ss.list {
		if ss.logins.up(i) {
			ss.paths.add(s, ss.wwids())
			if err := guard.Add(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// listen joins the group of the kernel's events, or leaves it.
func (ss *Sessions) listen(on bool) error {
	if ss.transport == nil { // a boot without a session
		return nil
	}
	return ss.transport.Subscribe(on)
}

// state is the state for the agent. The sessions get the timers of the running system.
func (ss *Sessions) state(ctx context.Context, past []recovery.Status, maps paths.Memory, uplinks []uplink.Uplink) ([]byte, error) {
	whole := agent.State{Uplinks: uplinks, Paths: maps, WWIDs: ss.wwids(), MirrorTimeout: ss.Net.Spec.Login.Timers.MirrorTimeout()}.With(past)
	for i, s := range ss.list {
		if !ss.handedOn(i) {
			continue
		}
		if err := s.SetTimers(ctx); err != nil {
			ss.Log.Debugf("session %d: timers: %v", s.SID, err)
		}
		whole.Sessions = append(whole.Sessions, s.State())
	}
	return whole.Append(nil)
}

// handedOn reports whether a session is handed over: one that is logged in, or whose login is still
// tried and whose target has an address. The agent continues the login, and looks for the disks of
// a session whose scan was not completed.
func (ss *Sessions) handedOn(i int) bool {
	s, pending := ss.list[i], slices.Contains(ss.logins.pending(), i)
	if !pending {
		return ss.logins.up(i)
	}
	s.MarkUnscanned(ss.lunsToScan(i)...)
	return len(s.KnownPortals()) > 0
}

// lunsToScan returns what the agent scans a session for: the LUN that is given, or those that other
// paths to the target have in use, as at boot, or all.
func (ss *Sessions) lunsToScan(i int) []uint64 {
	if given := ss.Net.Spec.Targets[i].LUN; given.Given() {
		return []uint64{given.V.Kernel()}
	}
	if ss.LUNsOfPaths != nil {
		if luns := ss.LUNsOfPaths(i); len(luns) > 0 {
			return luns
		}
	}
	return []uint64{kernel.ScanAll}
}

// Refuse returns why steps cannot be repeated: a login once the agent has the sessions.
func (ss *Sessions) Refuse(steps []string) error {
	if slices.Contains(steps, "login") && ss.handedOver {
		return ErrHandedOver
	}
	return nil
}

// ErrHandedOver is for a retry that comes too late.
var ErrHandedOver = errors.New("the agent already recovers the sessions: reboot to log in with other parameters")

// portalOfSession is the portal where a session is logged in, or will be tried first.
func portalOfSession(s *session.Session) netip.AddrPort {
	known := s.KnownPortals()
	if at := s.At(); at.IsValid() || len(known) == 0 {
		return at
	}
	return known[0]
}

// Facts describes the sessions that the real system starts with, for the files in /run.
func (ss *Sessions) Facts(root rootfs.Volume) []runstate.Session {
	var out []runstate.Session
	for i, s := range ss.list {
		if ss.logins.gone(i) {
			continue
		}
		out = append(out, runstate.Session{
			SID: s.SID, Initiator: s.Initiator, Target: s.Target, Portal: portalOfSession(s), Root: ss.carriesRoot(i, root),
		})
	}
	return out
}

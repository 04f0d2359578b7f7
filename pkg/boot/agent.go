package boot

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/handover"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/agent"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/shutdown"
)

// agentState is how far the agent is.
type agentState struct {
	process    *agent.Process // from its start until it has the sessions
	handedOver bool           // it has the sessions
}

// startAgent starts the agent while nothing of the real root is mounted: its
// mount namespace is a copy of ours. If it cannot be started now, the hand-over
// tries again.
func (m *Machine) startAgent(context.Context) error {
	if m.agent.process != nil || m.agent.handedOver {
		return nil
	}
	if err := m.launchAgent(); err != nil {
		m.Log.Warnf("%v: trying again before the real system starts", err)
	}
	return nil
}

func (m *Machine) launchAgent() (err error) {
	m.agent.process, err = agent.Launch(func(fork func() (int, error)) error {
		_, _, err := m.reaper.start(fork)
		return err
	})
	return err
}

// agentTimeout is for how long the boot waits for the agent, agentTries how
// often it is started.
const (
	agentTimeout = 10 * time.Second
	agentTries   = 3
)

// loginsEnd is for how long the end of late logins and scans is waited for.
const loginsEnd = 2 * time.Second

// endLogins ends what is still being tried. A scan that is in a system call does
// not end as long as its session is down, and the kernel cannot start the real
// init before it does (fs/exec.c: de_thread): that session is given up.
func (m *Machine) endLogins(ctx context.Context) {
	for _, i := range m.logins.pending() {
		m.Log.Warnf("target %s is not logged in: starting the real system without it, the agent continues the logins", m.sessions[i].Target)
	}
	limited, cancel := context.WithTimeout(ctx, loginsEnd)
	defer cancel()
	if m.logins.end(limited) == nil || ctx.Err() != nil {
		return
	}
	for _, i := range m.logins.pending() {
		s := m.sessions[i]
		if !s.At().IsValid() { // it was never logged in
			continue
		}
		m.Log.Errorf("session %d to %s: the connection was lost during a scan: closing the session", s.SID, s.Target)
		if err := shutdown.Within(loginsEnd, func(ctx context.Context) error { return m.giveUp(ctx, s) }); err != nil {
			m.Log.Errorf("session %d to %s: %v", s.SID, s.Target, err)
		}
		m.logins.lose(i)
	}
}

// giveUp ends a session, so that what waits for its disks gets errors.
func (m *Machine) giveUp(ctx context.Context, s *session.Session) error {
	if guard := m.guard.Load(); guard != nil {
		if err := guard.Remove(s); err != nil {
			return err
		}
	}
	return s.End(ctx)
}

// giveAway hands the sessions over to the agent, whatever state they are in. If
// no agent takes them, the boot goes on, and says so. It fails only with ctx.
func (m *Machine) giveAway(ctx context.Context) error {
	if m.agent.handedOver {
		return nil
	}
	var err error
	for range agentTries {
		if err = m.handOverTo(ctx); err == nil {
			m.agent.handedOver = true
			return nil
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		m.Log.Warnf("agent: %v: starting another one", err)
	}
	m.Log.Errorf("agent: %v: the sessions will not be recovered once the real system runs", err)
	return nil
}

// handOverTo starts an agent if there is none and hands the sessions over to it.
// As long as it has not answered they are ours, except that two listeners for
// the kernel's events are two owners: ours stops listening first.
func (m *Machine) handOverTo(ctx context.Context) error {
	if m.agent.process == nil {
		if err := m.launchAgent(); err != nil {
			return err
		}
	}
	var past []recovery.Status
	if guard := m.guard.Swap(nil); guard != nil {
		past = guard.Stop()
	}
	state := m.state(ctx, past)
	if err := m.listen(false); err != nil {
		clear(state)
		return errors.Join(err, m.guardAgain(past))
	}
	limited, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	err := m.agent.process.HandOver(limited, state)
	clear(state) // there are secrets in it
	if err == nil {
		if m.initiator.transport != nil {
			_ = m.initiator.transport.Close()
		}
		_ = m.agent.process.Close()
		m.agent.process, m.initiator.transport = nil, nil
		return nil
	}
	// HandOver has ended the agent: it cannot act beside us or the next one.
	_ = m.agent.process.Close()
	m.agent.process = nil
	return errors.Join(err, m.guardAgain(past))
}

// guardAgain takes the sessions back that the agent did not take.
func (m *Machine) guardAgain(past []recovery.Status) error {
	if err := m.listen(true); err != nil || m.initiator.transport == nil {
		return err
	}
	guard := recovery.StartGuard(m.initiator.transport, m.Log, past)
	m.guard.Store(guard)
	for i, s := range m.sessions {
		if m.logins.up(i) {
			if err := guard.Add(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// listen joins the group of the kernel's events, or leaves it.
func (m *Machine) listen(on bool) error {
	if m.initiator.transport == nil { // a boot without a session
		return nil
	}
	return m.initiator.transport.Listen(on)
}

// state is all that the agent needs. The sessions get the timers of the running
// system.
func (m *Machine) state(ctx context.Context, past []recovery.Status) []byte {
	whole := agent.State{Uplinks: m.uplinks()}.With(past)
	for i, s := range m.sessions {
		if !m.kept(i) {
			continue
		}
		if err := s.SetTimers(ctx); err != nil {
			m.Log.Debugf("session %d: timers: %v", s.SID, err)
		}
		whole.Sessions = append(whole.Sessions, s.State())
	}
	return whole.Append(nil)
}

// uplinks are the addresses of this machine, for the agent to keep, as
// iscsi_keep_address= says.
func (m *Machine) uplinks() []uplink.Uplink {
	var out []uplink.Uplink
	for _, l := range m.leases() {
		if !m.ours(l.Interface) {
			continue
		}
		dir := "/sys/class/net/" + l.Interface
		index, err := strconv.Atoi(readWord(dir, "ifindex"))
		if err != nil {
			continue
		}
		keep := m.spec.Policy.KeepAddress.Or(true)
		out = append(out, uplink.Uplink{Index: index, MAC: readWord(dir, "address"), Keep: keep, Lease: l})
	}
	return out
}

// kept tells whether the agent gets a session: one that is logged in, or whose
// target is still being tried and has an address. The agent then goes on trying,
// and looks for the disks of one that was not scanned to the end.
func (m *Machine) kept(i int) bool {
	s, pending := m.sessions[i], slices.Contains(m.logins.pending(), i)
	if !pending {
		return m.logins.up(i)
	}
	lun := kernel.ScanAll
	if given := m.spec.Targets[i].LUN; given.Given() {
		lun = given.V.Kernel()
	}
	s.Unscanned(lun)
	return len(s.Known()) > 0
}

// errHandedOver is for a retry that comes too late.
var errHandedOver = errors.New("the agent already recovers the sessions: reboot to log in with other parameters")

// handOver gives the sessions to the agent, and tells the real system by files
// in /run what of its network carries root.
func (m *Machine) handOver(ctx context.Context) error {
	m.endLogins(ctx)
	m.storage.DetachOthers(ctx, m.root)
	end := sequence.Doing(ctx, "reading the files of "+m.root.Name)
	root, err := handover.Survey(os.DirFS(sysroot))
	end()
	if err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	m.leaveNetwork()
	facts := handover.Facts{Root: root, Program: agent.Binary, ShutdownTimeout: m.Plan.Policy.ShutdownTimeout.V}
	facts.NamesStay = namesStay(m.modules.release)
	facts.Leases = m.leases()
	for _, l := range facts.Leases {
		mac, err := net.ParseMAC(readWord("/sys/class/net/"+l.Interface, "address"))
		switch {
		case err != nil:
		case m.ours(l.Interface):
			facts.Links = handover.AddLease(facts.Links, mac, l)
		default:
			facts.Others = handover.AddLease(facts.Others, mac, l)
		}
	}
	for i := range facts.Links { // what is no hardware has no device in sysfs
		_, err := os.Stat("/sys/class/net/" + facts.Links[i].Name + "/device")
		facts.Links[i].Made = errors.Is(err, os.ErrNotExist)
	}
	for i, s := range m.sessions {
		if m.logins.state(i) == loginLost {
			continue
		}
		facts.Sessions = append(facts.Sessions, runstate.Session{
			SID: s.SID, Initiator: s.Initiator, Target: s.Target, Portal: portalOfSession(s), Root: m.root.OnSession(s.SID),
		})
	}
	if err := handover.Write("/run", handover.Files(facts)); err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	if err := agent.Install(); err != nil {
		m.Log.Warnf("hand-over: %v: the agent tries again", err)
	}
	return m.giveAway(ctx)
}

// namesStay tells whether a kernel refuses to rename a link that is up, which it
// does before 6.2 (net/core/dev.c: dev_change_name).
func namesStay(release string) bool {
	part := strings.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(part) < 2 {
		return false
	}
	major, err := strconv.Atoi(part[0])
	minor, merr := strconv.Atoi(part[1])
	return err == nil && merr == nil && (major < 6 || major == 6 && minor < 2)
}

// portalOfSession is where a session is logged in, or will first be tried.
func portalOfSession(s *session.Session) netip.AddrPort {
	known := s.Known()
	if at := s.At(); at.IsValid() || len(known) == 0 {
		return at
	}
	return known[0]
}

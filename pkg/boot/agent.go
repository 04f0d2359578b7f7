package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/handover"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// startAgent starts the agent while nothing of the real root is mounted: its
// mount namespace is a copy of ours. A machine boots without it too.
func (m *Machine) startAgent(context.Context) error {
	p, err := recovery.Launch(func(fork func() (int, error)) error {
		_, _, err := m.reaper.start(fork)
		return err
	})
	if err != nil {
		m.Log.Errorf("%v: nobody will mend the session once root is mounted", err)
		return nil
	}
	m.agent = p
	return nil
}

// agentTimeout is for how long the boot waits for the agent.
const agentTimeout = 10 * time.Second

// guard gives the sessions into the agent's care, before anything hangs on
// them. As long as a target is still being tried that waits until the switch.
func (m *Machine) guard(ctx context.Context) error {
	if len(m.logins.pending()) == 0 {
		m.giveAway(ctx)
	}
	return nil
}

// giveAway hands the sessions over. Our own socket goes first: two listeners
// are two owners.
func (m *Machine) giveAway(ctx context.Context) {
	if m.agent == nil {
		return
	}
	whole := recovery.State{Uplinks: m.uplinks()}
	for i, s := range m.sessions {
		if m.kept(i) {
			whole.Sessions = append(whole.Sessions, s.State())
		}
	}
	state := whole.Append(nil)
	if m.transport != nil {
		_ = m.transport.Close()
		m.transport = nil
	}
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	if err := m.agent.HandOver(ctx, state); err != nil {
		m.Log.Errorf("agent: %v: nobody may mend the session once root is mounted", err)
	}
	clear(state) // there are secrets in it
	_ = m.agent.Close()
	m.agent, m.guarded = nil, true
}

// uplinks are the addresses of this machine, for the agent to keep. Those that
// were given here are put back if the system drops them, as
// iscsi_keep_address= says.
func (m *Machine) uplinks() []recovery.Uplink {
	var out []recovery.Uplink
	for _, l := range m.leases() {
		dir := "/sys/class/net/" + l.Interface
		index, err := strconv.Atoi(readWord(dir, "ifindex"))
		if err != nil {
			continue
		}
		keep := m.spec.Policy.KeepAddress.Or(l.Method == dhcp.Static)
		out = append(out, recovery.Uplink{Index: index, MAC: readWord(dir, "address"), Keep: keep, Lease: l})
	}
	return out
}

// kept tells whether the agent looks after a session: one that is logged in, or
// whose target is still being tried and has an address. It then goes on trying.
func (m *Machine) kept(i int) bool {
	s, pending := m.sessions[i], slices.Contains(m.logins.pending(), i)
	if !pending {
		return m.logins.up(i)
	}
	lun := kernel.ScanAll
	if given := m.spec.Targets[i].LUN; given.Given() {
		lun = given.V.Kernel()
	}
	s.NeverUp(lun)
	return len(s.Portals) > 0
}

// errGuarded is for a retry that comes too late.
var errGuarded = errors.New("the agent looks after the sessions already, as it will in the real system: reboot to log in in another way")

// handOver tells the real system by files in /run what of its network carries
// root.
func (m *Machine) handOver(context.Context) error {
	root, err := handover.Survey(os.DirFS(sysroot))
	if err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	m.network.Stop() // what is not up by now is the real system's
	facts := handover.Facts{Root: root, Program: recovery.Binary, ShutdownTimeout: m.Plan.Policy.ShutdownTimeout.V}
	facts.NamesStay = namesStay(m.release)
	facts.Leases = m.leases()
	for _, l := range facts.Leases {
		if mac, err := net.ParseMAC(readWord("/sys/class/net/"+l.Interface, "address")); err == nil {
			facts.Links = handover.AddLease(facts.Links, mac, l)
		}
	}
	for i, s := range m.sessions {
		if m.logins.state(i) == loginLost {
			continue
		}
		facts.Sessions = append(facts.Sessions, handover.Session{
			SID: s.SID, Initiator: s.Initiator, Target: s.Target, Portal: portalOfSession(s), Root: m.carriesRoot(i),
		})
	}
	if err := handover.Write("/run", handover.Files(facts)); err != nil {
		m.Log.Warnf("hand-over: %v", err)
	}
	return nil
}

// namesStay tells whether a kernel refuses to rename a link that is up, which it
// does before 6.2 (net/core/dev.c: dev_change_name).
func namesStay(release string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return n == 2 && (major < 6 || major == 6 && minor < 2)
}

// portalOfSession is where a session is logged in, or will first be tried.
func portalOfSession(s *session.Session) netip.AddrPort {
	if s.Portal.IsValid() || len(s.Portals) == 0 {
		return s.Portal
	}
	return s.Portals[0]
}

// carriesRoot tells whether root is on a disk of the i-th session.
func (m *Machine) carriesRoot(i int) bool {
	return slices.ContainsFunc(m.disks, func(d disk) bool { return d.Session == i && d.Name == strings.TrimRight(m.root.Name, "0123456789") })
}

package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dns"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// initiatorState is what the boot has of the kernel's initiator.
type initiatorState struct {
	transport *kernel.Transport
	reserved  []*kernel.Session
	ids       sessionIDs // of reserved
}

// createSessions makes the sessions before any login, in the order of the
// targets, so that their ids and with them the ISIDs are the same at every
// boot.
func (m *Machine) createSessions(ctx context.Context) error {
	if m.agent.handedOver {
		return errHandedOver
	}
	if err := m.openTransport(); err != nil {
		return err
	}
	return m.reserve(ctx, len(m.Plan.Targets))
}

// openTransport opens the socket to the kernel's iSCSI, or another one in place
// of one that has failed, which takes the sessions over.
func (m *Machine) openTransport() error {
	if m.initiator.transport != nil && m.initiator.transport.Err() == nil {
		return nil
	}
	t, err := kernel.Open()
	if errors.Is(err, os.ErrNotExist) {
		return sequence.WithHint(err, "the image must hold iscsi_tcp for kernel "+m.modules.release+": build it with iscsiroot build")
	} else if err != nil {
		return err
	}
	if m.initiator.transport != nil {
		m.Log.Warnf("session: %v: opening the kernel's iSCSI again", m.initiator.transport.Err())
		_ = m.initiator.transport.Close()
	}
	if guard := m.guard.Swap(nil); guard != nil {
		guard.Stop()
	}
	for i, s := range m.initiator.reserved {
		m.initiator.reserved[i] = t.Take(s)
	}
	m.sessions = nil // they are made of the reserved ones
	m.initiator.transport = t
	m.guard.Store(recovery.StartGuard(t, m.Log, nil))
	return nil
}

// reserve makes sessions until there are n.
func (m *Machine) reserve(ctx context.Context, n int) error {
	m.initiator.reserved = slices.DeleteFunc(m.initiator.reserved, (*kernel.Session).Gone)
	for len(m.initiator.reserved) < n {
		s, err := session.Reserve(ctx, m.initiator.transport)
		if err != nil {
			return err
		}
		m.initiator.reserved = append(m.initiator.reserved, s)
	}
	var ids []uint32
	for _, s := range m.initiator.reserved {
		ids = append(ids, s.SID)
	}
	m.initiator.ids.set(ids)
	return nil
}

// login logs in to the targets. It is done when one of them is there and the
// others have had their chance; those that are not there yet are tried on while
// root is looked for.
func (m *Machine) login(ctx context.Context) error {
	if m.agent.handedOver {
		return errHandedOver
	}
	if err := m.logins.end(ctx); err != nil {
		return err
	}
	m.unguard()
	if err := m.openTransport(); err != nil {
		return err
	}
	if err := m.reserve(ctx, len(m.spec.Targets)); err != nil {
		return err
	}
	m.openSessions()
	m.logins = newLogins(ctx, m.Log, len(m.sessions), m.loginTo, m.storage.LateDisks)
	return m.logins.first(ctx)
}

// openSessions says whose sessions they are. Those that failed before know how
// often, and where their target has moved.
func (m *Machine) openSessions() {
	spec := session.Config{Initiator: m.spec.Initiator, Login: m.spec.Login, Resolver: dns.Resolver(m.nameservers()), Ways: m.ways()}
	same := len(m.sessions) == len(m.spec.Targets)
	for i := range m.sessions {
		same = same && m.sessions[i].SID == m.initiator.reserved[i].SID && m.sessions[i].Is(spec.Initiator, m.spec.Targets[i], spec.Login)
	}
	if same {
		return
	}
	m.sessions = nil
	for i, target := range m.spec.Targets {
		spec.Target = target
		m.sessions = append(m.sessions, session.New(m.initiator.reserved[i], spec))
	}
}

// loginTo logs in to one target and sets how long the kernel waits for it
// later.
func (m *Machine) loginTo(ctx context.Context, i int) error {
	s := m.sessions[i]
	notes, err := s.Login(ctx)
	if err != nil {
		return m.explainLogin(i, err)
	}
	m.pin(s)
	if err := m.guard.Load().Add(s); err != nil {
		return err
	}
	for _, w := range notes.Warnings {
		m.Log.Warnf("target %s: %s", s.Target, w)
	}
	for _, o := range notes.Oddities {
		m.Log.Debugf("target %s: %s", s.Target, o)
	}
	m.Log.Infof("login to %s at %s: session %d", s.Target, s.At(), s.SID)
	if err := s.Hold(); err != nil {
		m.Log.Warnf("session %d: recovery time-out: %v: an outage of the target may end in I/O errors", s.SID, err)
	}
	return nil
}

// explainLogin says so when the reason is a cable that was pulled meanwhile, and
// else where names are from that the advice has under their parameters' names.
func (m *Machine) explainLogin(i int, err error) error {
	var connect *session.ConnectError
	if dark := m.dark(); errors.As(err, &connect) && len(dark) > 0 {
		return &network.WaitError{State: network.State{Links: dark}, Err: err}
	}
	text, also := sequence.Hint(err), sources(m.spec, i)
	if also == "" && connect != nil && !errors.Is(connect, unix.ECONNREFUSED) {
		also = m.anotherNIC()
	}
	if text == "" || also == "" {
		return err
	}
	return sequence.WithHint(err, text+"; "+also)
}

// sessionNames is for messages about all of them.
func (m *Machine) sessionNames() string {
	out := ""
	for i, s := range m.sessions {
		if i > 0 {
			out += ", "
		}
		if m.logins.up(i) {
			out += fmt.Sprintf("%s at %s", s.Target, s.At())
		} else {
			out += s.Target + " (not logged in)"
		}
	}
	return out
}

package login

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/portal"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/network/dns"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Login is the step "login": it logs in to the targets. It is done when one of them is logged in
// and stragglerGrace is over for the others, whose logins go on while root is looked for.
func (ss *Sessions) Login(ctx context.Context) error {
	if ss.handedOver {
		return ErrHandedOver
	}
	if err := ss.logins.end(ctx); err != nil {
		return err
	}
	ss.unguard()
	if err := ss.openTransport(); err != nil {
		return err
	}
	if err := ss.reserve(ctx, len(ss.Net.Spec.Targets)); err != nil {
		return err
	}
	ss.openSessions()
	ss.logins = newLogins(ctx, ss.Log, len(ss.list), ss.loginTo, ss.Late)
	ss.logins.first = ss.firstPath
	return ss.logins.firstRound(ctx)
}

// firstPath returns the first of the sessions that are paths to the same target as the i-th.
func (ss *Sessions) firstPath(i int) int {
	all := ss.Net.Spec.Targets
	if !all[i].Multipath.V {
		return i
	}
	return slices.IndexFunc(all, func(t bootspec.Target) bool { return t.Multipath.V && t.SameLUNs(&all[i]) })
}

// carriesRoot reports whether root is on a disk of the i-th session, or may be soon: it is on
// another path to the same target.
func (ss *Sessions) carriesRoot(i int, root rootfs.Volume) bool {
	first := ss.firstPath(i)
	for at, s := range ss.list {
		if ss.firstPath(at) == first && root.OnSession(s.SID) {
			return true
		}
	}
	return false
}

// openSessions gives the reserved sessions their targets. Those whose login failed before keep the
// number of refusals, and the address of a redirect.
func (ss *Sessions) openSessions() {
	spec := session.Config{Initiator: ss.Net.Spec.Initiator, Login: ss.Net.Spec.Login, Resolver: dns.Resolver(ss.nameservers()), Ways: ss.otherNICs()}
	same := len(ss.list) == len(ss.Net.Spec.Targets)
	for i := range ss.list {
		same = same && ss.list[i].SID == ss.reserved[i].SID && ss.list[i].HasConfig(spec.Initiator, ss.Net.Spec.Targets[i], spec.Login)
	}
	if same {
		return
	}
	ss.list = nil
	for i, target := range ss.Net.Spec.Targets {
		spec.Target = target
		ss.list = append(ss.list, session.New(ss.reserved[i], spec))
	}
}

// loginTo logs in to one target and sets how long the kernel waits for it later.
func (ss *Sessions) loginTo(ctx context.Context, i int) error {
	s := ss.list[i]
	if why := ss.unused(i); why != "" {
		return &unusedError{why}
	}
	notes, err := s.Login(ctx)
	if err != nil {
		return ss.explainLogin(i, err)
	}
	ss.pin(s)
	ss.paths.add(s, ss.wwids())
	if err := ss.guard.Load().Add(s); err != nil {
		return err
	}
	for _, w := range notes.Warnings {
		ss.Log.Warnf("target %s: %s", s.Target, w)
	}
	for _, o := range notes.Oddities {
		ss.Log.Debugf("target %s: %s", s.Target, o)
	}
	ss.Log.Infof("login to %s at %s: session %d", s.Target, s.At(), s.SID)
	if err := s.ApplyRecovery(); err != nil {
		ss.Log.Warnf("session %d: recovery time-out: %v: an outage of the target may end in I/O errors", s.SID, err)
	}
	return nil
}

// explainLogin adds to an error that no NIC has carrier, if so, or else the sources of the names in
// its advice.
func (ss *Sessions) explainLogin(i int, err error) error {
	var connect *portal.ConnectError
	if noCarrier := ss.Net.NoCarrier(); errors.As(err, &connect) && len(noCarrier) > 0 {
		return &network.WaitError{State: network.State{Links: noCarrier}, Err: err}
	}
	text, also := sequence.Hint(err), sources(ss.Net.Spec, i)
	if also == "" && connect != nil && !errors.Is(connect, unix.ECONNREFUSED) {
		also = ss.anotherNIC()
	}
	if text == "" || also == "" {
		return err
	}
	return sequence.WithHint(err, text+"; "+also)
}

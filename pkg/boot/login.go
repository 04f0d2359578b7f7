package boot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/network"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// createSessions makes the sessions before any login, in the order of the
// targets, so that their ids and with them the ISIDs are the same at every
// boot.
func (m *Machine) createSessions(ctx context.Context) error {
	if m.transport == nil {
		t, err := kernel.Open()
		if errors.Is(err, os.ErrNotExist) {
			return withHint(err, "the image must hold iscsi_tcp for kernel "+m.release+": build it with iscsiroot build")
		} else if err != nil {
			return err
		}
		m.transport = t
	}
	for len(m.reserved) < len(m.Plan.Targets) {
		s, err := session.Reserve(ctx, m.transport)
		if err != nil {
			return err
		}
		m.reserved = append(m.reserved, s)
	}
	return nil
}

// login logs in to the target and sets how long the kernel waits for it later.
func (m *Machine) login(ctx context.Context) error {
	for len(m.sessions) < len(m.spec.Targets) {
		i := len(m.sessions)
		m.sessions = append(m.sessions, session.New(m.reserved[i], session.Config{Initiator: m.spec.Initiator, Target: m.spec.Targets[i], Login: m.spec.Login}))
	}
	for _, s := range m.sessions {
		notes, err := s.Login(ctx)
		if err != nil {
			return m.explainLogin(err)
		}
		for _, w := range notes.Warnings {
			m.Log.Warnf("target %s: %s", s.Target, w)
		}
		for _, o := range notes.Oddities {
			m.Log.Debugf("target %s: %s", s.Target, o)
		}
		m.Log.Infof("login to %s at %s: session %d", s.Target, s.Portal, s.SID)
		if err := s.Hold(); err != nil {
			m.Log.Warnf("session %d: recovery time-out: %v: an outage of the target may end in I/O errors", s.SID, err)
		}
	}
	return nil
}

// explainLogin says so when the reason is a cable that was pulled meanwhile.
func (m *Machine) explainLogin(err error) error {
	var connect *session.ConnectError
	if errors.As(err, &connect) && readWord("/sys/class/net/"+m.facts.Interface, "carrier") == "0" {
		return &network.WaitError{State: network.State{Links: []network.Link{{Name: m.facts.Interface}}}, Err: err}
	}
	return err
}

// sessionNames is for messages about all of them.
func (m *Machine) sessionNames() string {
	out := ""
	for i, s := range m.sessions {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%s at %s", s.Target, s.Portal)
	}
	return out
}

package boot

import (
	"context"
	"errors"

	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// newStorage makes what finds root and mounts it.
func (m *Machine) newStorage() *rootfs.Storage {
	return rootfs.New(rootfs.Config{
		Log:      m.Log,
		Sessions: (*known)(m),
		Uevents:  func() rootfs.Uevents { return m.Uevents },
		Load:     m.load,
		Started:  m.started,
		Spec:     &m.spec,
		Plan:     &m.Plan,
	})
}

func (m *Machine) findDisks(ctx context.Context) error { return m.storage.FindDisks(ctx) }

func (m *Machine) findRoot(ctx context.Context) error {
	root, err := m.storage.Find(ctx)
	if err == nil {
		m.root = root
	}
	return err
}

func (m *Machine) mountRoot(ctx context.Context) (err error) {
	if m.adopted {
		return nil // a person mounted it
	}
	m.root, err = m.storage.Mount(ctx, m.root)
	return err
}

func (m *Machine) checkRoot(ctx context.Context) (err error) {
	m.start, err = m.storage.Check(ctx, m.root)
	return err
}

// errNoGuard is for a wait for an outage after the hand-over.
var errNoGuard = errors.New("the agent has the sessions")

// known is what rootfs knows of the sessions.
type known Machine

func (k *known) List() []*session.Session { return k.sessions }
func (k *known) Names() string            { return (*Machine)(k).sessionNames() }
func (k *known) Up(i int) bool            { return k.logins.up(i) }
func (k *known) Pending(i int) bool       { return k.logins.state(i) == loginPending }
func (k *known) Lost(i int) bool          { return k.logins.state(i) == loginLost }
func (k *known) Waiting() []int           { return k.logins.waits() }
func (k *known) Changed() <-chan struct{} { return k.logins.change() }
func (k *known) Down() string             { return (*Machine)(k).down() }

func (k *known) Later(i int, work func(context.Context)) { k.logins.later(i, work) }

func (k *known) WaitDown(ctx context.Context, i int) error {
	if guard := k.guard.Load(); guard != nil {
		return guard.WaitDown(ctx, k.sessions[i], latecomers)
	}
	return errNoGuard
}

func (k *known) Steadily(ctx context.Context, s *session.Session, work func(lost bool) error) error {
	return (*Machine)(k).steadily(ctx, s, work)
}

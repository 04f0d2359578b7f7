package recovery

import (
	"context"
	"io"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// KernelSession makes a session.Session a Session.
type KernelSession struct{ *session.Session }

// ID implements Session.
func (l *KernelSession) ID() uint32 { return l.SID }

// String implements Session.
func (l *KernelSession) String() string { return l.Target }

// Portals implements Session.
func (l *KernelSession) Portals() []string {
	var out []string
	for _, p := range l.KnownPortals() {
		out = append(out, p.String())
	}
	return out
}

// Dial implements Session.
func (l *KernelSession) Dial(ctx context.Context, ways ...session.Way) (io.Closer, error) {
	c, err := l.Connect(ctx, ways...)
	if err != nil {
		return nil, err // not a typed nil
	}
	return c, nil
}

// Login implements Session.
func (l *KernelSession) Login(ctx context.Context, conn io.Closer) error {
	return l.Relogin(ctx, conn.(*session.Connection))
}

package shutdown

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// A panic in one operation of the shutdown becomes its error.
func TestPanicOfAnOperation(t *testing.T) {
	var p *contain.PanicError
	if err := Within(time.Hour, func(context.Context) error { panic("a bug") }); !errors.As(err, &p) {
		t.Errorf("within: error %v, want a *contain.PanicError", err)
	}
	if err := working(&fake{}, time.Hour, func() error { panic("a bug") }); !errors.As(err, &p) {
		t.Errorf("working: error %v, want a *contain.PanicError", err)
	}
}

// buggySession is a session that cannot even be written back.
type buggySession struct{ *fakeSession }

func (buggySession) Flush() error { panic("a bug") }

// buggySystem has one of those beside its own.
type buggySystem struct{ *fake }

func (b buggySystem) Sessions() ([]Session, error) {
	own, err := b.fake.Sessions()
	return append([]Session{buggySession{b.sessions[0]}}, own...), err
}

// A panic in one session prevents neither the logout of others nor the end of the machine.
func TestPanicOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{began: time.Now(), hang: make(chan struct{}), sessions: []*fakeSession{{name: "s1"}}}
		f.sessions[0].fake = f
		if err := Run(buggySystem{f}, runstate.PowerOff, f); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"terminate s1", "flush s1", "logout s1", "poweroff after 0 s"} {
			if !slices.Contains(f.did, want) {
				t.Errorf("did %q, want %q among it", f.did, want)
			}
		}
		if want := "shutdown: s1: internal error: panic: a bug: dropping the session"; !slices.Contains(f.log, want) {
			t.Errorf("log %q, want %q in it", f.log, want)
		}
	})
}

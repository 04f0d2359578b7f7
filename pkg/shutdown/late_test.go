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

// What a mirror with a dead member holds up goes on also while other disks work all the time.
func TestSpareDuringProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{began: time.Now(), hang: make(chan struct{}), spare: 1, sessions: []*fakeSession{{name: "s1", dead: true}}}
		f.sessions[0].fake = f
		f.working.Store(true)
		err := patiently(f, unmountStall, f, func() error {
			select {
			case <-f.hang:
			case <-time.After(time.Hour):
			}
			return nil
		})
		if took := time.Since(f.began); err != nil || took != unmountStall {
			t.Errorf("%v after %v, did %q", err, took, f.did)
		}
	})
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

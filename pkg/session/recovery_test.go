package session

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// held is a session that the kernel of this machine does not have.
func held(t *testing.T) *Session {
	t.Helper()
	k := kerneltest.New()
	t.Cleanup(k.Close)
	return Reopen(k.Transport(), State{
		Record: Record{SID: 4_000_000_000, Initiator: initiator, Target: targetName, Portals: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3260")}}, Timers: Timers{Recovery: 86400},
	})
}

// A value that another program has set is the session's from then on, also for the process that
// goes on with it; without an end it is negative for the kernel.
func TestSetRecovery(t *testing.T) {
	s := held(t)
	for _, tt := range []struct {
		seconds uint32
		kernel  int
	}{{300, 300}, {0, 0}, {Never, -1}} {
		s.SetRecovery(tt.seconds)
		if got, due := s.Recovery(); got != tt.seconds || due || s.hold() != tt.kernel {
			t.Errorf("%d: it is %d, due %v, for the kernel %d", tt.seconds, got, due, s.hold())
		}
		states, err := ParseStates(written(t, s.State()))
		if err != nil || len(states) != 1 || states[0].Timers.Recovery != tt.seconds || states[0].Due {
			t.Errorf("%d: the next process has %+v, %v", tt.seconds, states, err)
		}
	}
}

// What could not be set stays due, for the next login and for the next process.
func TestHoldAgain(t *testing.T) {
	s := held(t)
	if err := s.Hold(); err != nil {
		t.Fatalf("what the kernel has already is set again: %v", err)
	}
	for range 2 {
		if err := s.HoldAgain(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("set in a session that is not there: %v", err)
		}
		if got, due := s.Recovery(); got != 86400 || !due || !s.State().Due {
			t.Errorf("it is %d, due %v", got, due)
		}
	}
	if err := s.Hold(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next login does not set it: %v", err)
	}
}

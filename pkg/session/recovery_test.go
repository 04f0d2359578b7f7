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

// A value that another program has set is kept, also in the state for another process; without a
// limit it is negative for the kernel.
func TestAdoptRecovery(t *testing.T) {
	s := held(t)
	for _, tt := range []struct {
		seconds uint32
		kernel  int
	}{{300, 300}, {0, 0}, {Never, -1}} {
		s.AdoptRecovery(tt.seconds)
		if got, due := s.Recovery(); got != tt.seconds || due || s.recoveryTimeout() != tt.kernel {
			t.Errorf("%d: it is %d, due %v, for the kernel %d", tt.seconds, got, due, s.recoveryTimeout())
		}
		states, err := ParseStates(written(t, s.State()))
		if err != nil || len(states) != 1 || states[0].Timers.Recovery != tt.seconds || states[0].Due {
			t.Errorf("%d: the next process has %+v, %v", tt.seconds, states, err)
		}
	}
}

// A value that could not be set stays due, for the next login and for another process.
func TestReapplyRecovery(t *testing.T) {
	s := held(t)
	if err := s.ApplyRecovery(); err != nil {
		t.Fatalf("a value that the kernel has already is set relogin: %v", err)
	}
	for range 2 {
		if err := s.ReapplyRecovery(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("set in a session that is not there: %v", err)
		}
		if got, due := s.Recovery(); got != 86400 || !due || !s.State().Due {
			t.Errorf("it is %d, due %v", got, due)
		}
	}
	if err := s.ApplyRecovery(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next login does not set it: %v", err)
	}
}

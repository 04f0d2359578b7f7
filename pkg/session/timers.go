package session

import (
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Timers are what the kernel waits for in a session, in seconds.
type Timers struct {
	// Recovery is for how long I/O is held back while the session is down.
	Recovery uint32
	// PingInterval is how long there is no traffic before the kernel pings
	// (NOP-Out), 0: it does not. PingTimeout is how much later it gives the
	// connection up.
	PingInterval, PingTimeout uint32
}

// defaultTimers are those of a root disk with one path: it waits a day, where
// the kernel's default of two minutes ends in an I/O error and a dead root.
func defaultTimers() Timers { return Timers{Recovery: 86400, PingInterval: 15, PingTimeout: 30} }

// timersOf returns what was asked for, and the defaults for the rest.
func timersOf(t bootspec.Timers) Timers {
	d := defaultTimers()
	seconds := func(v bootspec.Value[time.Duration], other uint32) uint32 {
		return uint32(v.Or(time.Duration(other)*time.Second) / time.Second)
	}
	return Timers{
		Recovery:     seconds(t.Recovery, d.Recovery),
		PingInterval: seconds(t.PingInterval, d.PingInterval),
		PingTimeout:  seconds(t.PingTimeout, d.PingTimeout),
	}
}

// Hold sets for how long the kernel holds I/O back. The session must be logged
// in.
func (s *Session) Hold() error { return s.kernel.SetRecoveryTimeout(int(s.timers.Recovery)) }

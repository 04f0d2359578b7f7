package session

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Timers are what the kernel waits for in a session, in seconds.
type Timers struct {
	// Recovery is for how long I/O is held back while the session is down; it can be Never.
	Recovery uint32
	// PingInterval is how long there is no traffic before the kernel pings (NOP-Out),
	// PingTimeout how much later it gives the connection up. Where one is 0 both are, and it
	// does not ping.
	PingInterval, PingTimeout uint32
}

// pings are the part of Timers that changes while a session is logged in. The kernel gives a
// connection up that was silent for the sum of both (drivers/scsi/libiscsi.c:
// iscsi_check_transport_timeouts).
type pings struct{ interval, timeout uint32 }

// pings returns that part: nothing where either is 0, since the kernel takes 5 s for one that is 0
// beside one that is not (drivers/scsi/libiscsi.c: iscsi_conn_start).
func (t Timers) pings() pings {
	if t.PingInterval == 0 || t.PingTimeout == 0 {
		return pings{}
	}
	return pings{t.PingInterval, t.PingTimeout}
}

// Until root is mounted silence is noticed within 4 s: the machine waits for nothing else.
const (
	bootPingInterval = 1
	bootPingTimeout  = 3
)

// untilMounted returns the pings of the boot, which are no slower than those that were asked for.
// Pings that were switched off stay off.
func (t Timers) untilMounted() pings {
	p := t.pings()
	return pings{min(bootPingInterval, p.interval), min(bootPingTimeout, p.timeout)}
}

// defaultTimers are those of a root disk with one path: it waits a day, where the kernel's default
// of two minutes ends in an I/O error and a dead root.
func defaultTimers() Timers { return Timers{Recovery: 86400, PingInterval: 15, PingTimeout: 30} }

// timersOf returns what was asked for, and the defaults for the rest.
func timersOf(t bootspec.Timers) Timers {
	d := defaultTimers()
	seconds := func(v bootspec.Value[time.Duration], other uint32) uint32 {
		if v.V == bootspec.Forever {
			return Never
		}
		return uint32(v.Or(time.Duration(other)*time.Second) / time.Second)
	}
	out := Timers{Recovery: seconds(t.Recovery, d.Recovery)}
	if !t.NoPings() {
		out.PingInterval, out.PingTimeout = seconds(t.PingInterval, d.PingInterval), seconds(t.PingTimeout, d.PingTimeout)
	}
	return out
}

// Hold sets for how long the kernel holds I/O back, after the first login and until that has
// succeeded once: what is set later is the administrator's. The kernel refuses it (EBUSY) while the
// session is down; the next login sets it then. The session must be logged in.
func (s *Session) Hold() error {
	s.mu.Lock()
	due := s.due
	s.mu.Unlock()
	if !due {
		return nil
	}
	err := s.kernel.SetRecoveryTimeout(s.hold())
	if errors.Is(err, unix.EBUSY) {
		return nil
	} else if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = false
	return nil
}

// Broken notes why the connection was lost. A target that is busy may answer a ping late: after
// each silent end the session's time-out for pings is doubled, up to the one that was asked for.
// The next login sets it.
func (s *Session) Broken(cause error) {
	var why kernel.ConnError
	if !errors.As(cause, &why) || why != kernel.PingTimedOut {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pings.timeout = min(2*s.pings.timeout, s.timers.PingTimeout)
}

// SetTimers gives a session the timers that were asked for, in place of those of the boot. For a
// session that is down the next login does it.
func (s *Session) SetTimers(ctx context.Context) error {
	s.mu.Lock()
	s.pings = s.timers.pings()
	s.mu.Unlock()
	if !s.kernel.Bound() {
		return nil
	}
	return s.kernel.Set(ctx, s.pingSettings())
}

// Silence is for how long the target had been silent when the connection was lost, as far as the
// cause tells: the kernel gives a connection up for a ping when the last PDU came that long ago
// (drivers/scsi/libiscsi.c: iscsi_has_ping_timed_out). 0: it was not silent. It is asked for before
// the next login.
func (s *Session) Silence(cause error) time.Duration { return s.silence("/sys", cause) }

// silence reads in sysfs at sys what the kernel has been told: the last login may have been another
// program's.
func (s *Session) silence(sys kernel.Sysfs, cause error) time.Duration {
	var why kernel.ConnError
	if !errors.As(cause, &why) || why != kernel.PingTimedOut {
		return 0
	}
	s.mu.Lock()
	told := s.told
	s.mu.Unlock()
	interval, err := s.pingTimer(sys, "recv_tmo")
	timeout, terr := s.pingTimer(sys, "ping_tmo")
	if err == nil && terr == nil {
		told = pings{interval: interval, timeout: timeout}
	}
	return time.Duration(told.interval)*time.Second + time.Duration(told.timeout)*time.Second
}

// pingTimer reads one of the connection's timers, in seconds.
func (s *Session) pingTimer(sys kernel.Sysfs, attribute string) (uint32, error) {
	text, err := sys.Connection(s.SID, s.kernel.CID, attribute)
	if err != nil {
		return 0, err
	}
	return parse[uint32](text, 32)
}

// pingSettings are the kernel's parameters of the pings, which it is then told.
func (s *Session) pingSettings() []kernel.Setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = s.pings
	return []kernel.Setting{
		{Param: kernel.PingTimeout, Value: number(s.pings.timeout)},
		{Param: kernel.RecvTimeout, Value: number(s.pings.interval)},
	}
}

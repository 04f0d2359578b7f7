package session

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
)

// Timers are the kernel's time-outs of a session, in seconds.
type Timers struct {
	// Recovery is for how long I/O is queued while the session is down; it can be Never.
	Recovery uint32
	// PingInterval is after how long without traffic the kernel pings (NOP-Out), PingTimeout
	// how much later it ends the connection. If one is 0 both are, and it does not ping.
	PingInterval, PingTimeout uint32
	// Queue is for how long the multipath map of a session's disks holds I/O back while no path
	// works; it can be Never. Recovery is 0 then. 0: the disks are no paths of a map.
	Queue uint32
}

// pings are the part of Timers that changes while a session is logged in. The kernel ends a
// connection that was silent for the sum of both (drivers/scsi/libiscsi.c:
// iscsi_check_transport_timeouts).
type pings struct{ interval, timeout uint32 }

// pings returns that part: zeros if either is 0, since the kernel replaces one that is 0 with 5 s
// if the other is not (drivers/scsi/libiscsi.c: iscsi_conn_start).
func (t Timers) pings() pings {
	if t.PingInterval == 0 || t.PingTimeout == 0 {
		return pings{}
	}
	return pings{t.PingInterval, t.PingTimeout}
}

// Until root is mounted, a silent target is detected within 4 s, because the machine does nothing
// else.
const (
	bootPingInterval = 1
	bootPingTimeout  = 3
)

// untilMounted returns the pings of the boot, which are not slower than the configured ones. Pings
// that are switched off stay off.
func (t Timers) untilMounted() pings {
	p := t.pings()
	return pings{min(bootPingInterval, p.interval), min(bootPingTimeout, p.timeout)}
}

// defaultTimers are those of a root disk with one path: I/O is queued for a day, where the kernel's
// default of two minutes would make root fail with I/O errors.
func defaultTimers() Timers {
	return Timers{Recovery: uint32(bootspec.DefaultRecovery / time.Second), PingInterval: 15, PingTimeout: 30}
}

// pathTimers are those of a path of a multipath map: its I/O fails immediately, and goes to another
// path.
func pathTimers() Timers {
	return Timers{PingInterval: uint32(bootspec.PathPingInterval / time.Second), PingTimeout: uint32(bootspec.PathPingTimeout / time.Second)}
}

// asPath returns the timers for a session whose disks are paths of a map. Pings that are not the
// default are kept. A map whose I/O is to fail immediately keeps it for a second, which a change of
// paths takes.
func (t Timers) asPath() Timers {
	if t.Queue != 0 {
		return t
	}
	t.Queue, t.Recovery = max(t.Recovery, 1), 0
	if d := defaultTimers(); t.PingInterval == d.PingInterval && t.PingTimeout == d.PingTimeout {
		t.PingInterval, t.PingTimeout = pathTimers().PingInterval, pathTimers().PingTimeout
	}
	return t
}

// timersOf returns the configured timers, and the defaults of the others. path is whether the
// session's disks are to be paths of a map.
func timersOf(t bootspec.Timers, path bool) Timers {
	d := defaultTimers()
	if path {
		d.PingInterval, d.PingTimeout = pathTimers().PingInterval, pathTimers().PingTimeout
	}
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
	if path {
		return out.asPath()
	}
	return out
}

// IsPath reports whether the session's disks are paths of a multipath map.
func (s *Session) IsPath() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timers.Queue != 0
}

// Queue is for how many seconds the map of the session's disks holds I/O back while no path works;
// it can be Never. 0: the disks are no paths of a map.
func (s *Session) Queue() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timers.Queue
}

// UseAsPath changes the timers of a session whose disks have become paths of a map. The pings of a
// session that is logged in change with SetTimers.
func (s *Session) UseAsPath() error {
	s.mu.Lock()
	if s.timers.Queue == 0 {
		s.asDisk = s.timers
		s.timers, s.due = s.timers.asPath(), true
	}
	s.mu.Unlock()
	return s.ApplyRecovery()
}

// UseAsDisk gives a session the timers of a disk with one path, those before UseAsPath if it was
// called: there is no map of its disks.
func (s *Session) UseAsDisk() error {
	s.mu.Lock()
	if s.timers.Queue != 0 {
		s.timers, s.due = cmp.Or(s.asDisk, timersOf(s.config.Login.Timers, false)), true
	}
	s.mu.Unlock()
	return s.ApplyRecovery()
}

// ApplyRecovery sets the recovery time-out in the kernel, until that has succeeded once: a later
// value is the administrator's. The kernel refuses it (EBUSY) while the session is down; the next
// login sets it then. The session must be logged in.
func (s *Session) ApplyRecovery() error {
	s.mu.Lock()
	due := s.due
	s.mu.Unlock()
	if !due {
		return nil
	}
	err := s.kernel.SetRecoveryTimeout(s.recoveryTimeout())
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

// ConnectionLost records why the connection was lost. A busy target may answer a ping late: after
// each ping that timed out the session's time-out for pings is doubled, up to the configured one.
// The next login sets it.
func (s *Session) ConnectionLost(cause error) {
	var why kernel.ConnError
	if !errors.As(cause, &why) || why != kernel.PingTimedOut {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pings.timeout = min(2*s.pings.timeout, s.timers.PingTimeout)
}

// SetTimers sets the configured timers in place of those of the boot. For a session that is down
// the next login does it.
func (s *Session) SetTimers(ctx context.Context) error {
	s.mu.Lock()
	s.pings = s.timers.pings()
	s.mu.Unlock()
	if !s.kernel.Bound() {
		return nil
	}
	// A connection that another process has stopped refuses them (drivers/scsi/
	// scsi_transport_iscsi.c: iscsi_if_set_param).
	settings := s.pingSettings()
	if s.IsPath() { // maybe since this login
		settings = append(settings, s.errorTimeouts()...)
	}
	if err := s.kernel.Set(ctx, settings); !errors.Is(err, unix.ENOTCONN) {
		return err
	}
	return nil
}

// SilentFor returns for how long the target had been silent when a ping timed out
// (drivers/scsi/libiscsi.c: iscsi_has_ping_timed_out); 0 for other causes. It is called before the
// next login.
func (s *Session) SilentFor(cause error) time.Duration { return s.silentFor("/sys", cause) }

// silentFor reads the kernel's timers in sysfs at sys: the last login may have been another
// program's.
func (s *Session) silentFor(sys kernel.Sysfs, cause error) time.Duration {
	var why kernel.ConnError
	if !errors.As(cause, &why) || why != kernel.PingTimedOut {
		return 0
	}
	s.mu.Lock()
	told := s.kernelPings
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

// pingSettings returns the kernel's parameters of the pings, and records them as those in the
// kernel.
func (s *Session) pingSettings() []kernel.Setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kernelPings = s.pings
	return []kernel.Setting{
		{Param: kernel.PingTimeout, Value: number(s.pings.timeout)},
		{Param: kernel.RecvTimeout, Value: number(s.pings.interval)},
	}
}

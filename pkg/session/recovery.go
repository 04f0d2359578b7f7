package session

import "math"

// Never is the recovery time-out of a session whose I/O the kernel queues without a limit: "off" in
// sysfs (drivers/scsi/scsi_transport_iscsi.c: iscsi_priv_session_attr_show).
const Never = math.MaxInt32

// Recovery returns for how many seconds I/O is queued while the session is down, and whether the
// kernel does not have that value yet.
func (s *Session) Recovery() (seconds uint32, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timers.Recovery, s.due
}

// AdoptRecovery stores a value that another program has set in the kernel.
func (s *Session) AdoptRecovery(seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timers.Recovery, s.due = seconds, false
}

// ReapplyRecovery sets the recovery time-out again, after another program has changed it. For a
// session that is down the next login does it.
func (s *Session) ReapplyRecovery() error {
	s.mu.Lock()
	s.due = true
	s.mu.Unlock()
	return s.ApplyRecovery()
}

// recoveryTimeout returns the recovery time-out as the kernel expects it; negative: no limit.
func (s *Session) recoveryTimeout() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timers.Recovery == Never {
		return -1
	}
	return int(s.timers.Recovery)
}

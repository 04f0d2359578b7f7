package session

import "math"

// Never is the recovery time-out of a session whose I/O the kernel holds back without an end: "off"
// in sysfs (drivers/scsi/scsi_transport_iscsi.c: iscsi_priv_session_attr_show).
const Never = math.MaxInt32

// Recovery returns for how many seconds I/O is to be held back while the session is down, and
// whether the kernel does not know yet.
func (s *Session) Recovery() (seconds uint32, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timers.Recovery, s.due
}

// SetRecovery takes a value in that the kernel has from another program: it is the session's from
// now on.
func (s *Session) SetRecovery(seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timers.Recovery, s.due = seconds, false
}

// HoldAgain sets the recovery time-out once more, after another program has changed it. For a
// session that is down the next login does it.
func (s *Session) HoldAgain() error {
	s.mu.Lock()
	s.due = true
	s.mu.Unlock()
	return s.Hold()
}

// hold is the recovery time-out as the kernel takes it; negative: no end.
func (s *Session) hold() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timers.Recovery == Never {
		return -1
	}
	return int(s.timers.Recovery)
}

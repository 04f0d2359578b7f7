package session

import (
	"errors"
	"net/netip"
	"time"
)

// maxDoublings bounds how often the time-out of a portal's responses is doubled.
const maxDoublings = 8

// responseTimeout returns how long to wait for a response: a request may be lost while a target
// starts, and a busy target may be slow. So the first time-out is short, and each login without a
// response doubles it for that portal. It is shorter while another portal remains to be tried, and
// at a re-login.
func (s *Session) responseTimeout(e loginPath) time.Duration {
	first := s.times.first
	if s.relogin {
		first = s.times.firstRelogin
	}
	if e.others {
		first = min(first, s.times.firstOfMany)
	}
	return min(first<<min(s.unanswered[e.addr], maxDoublings), s.times.response)
}

// recordResponse stores whether the portal answered a login, and how long its slowest response
// took: the time-out of the next login there is not shorter.
func (s *Session) recordResponse(e loginPath, slowest time.Duration, err error) {
	if s.unanswered == nil {
		s.unanswered = map[netip.AddrPort]int{}
	}
	var silence *SilenceError
	if errors.As(err, &silence) {
		s.unanswered[e.addr]++
		return
	}
	delete(s.unanswered, e.addr)
	for s.unanswered[e.addr] < maxDoublings && s.responseTimeout(e) < slowest && s.responseTimeout(e) < s.times.response {
		s.unanswered[e.addr]++
	}
}

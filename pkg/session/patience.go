package session

import (
	"errors"
	"net/netip"
	"time"
)

// maxDoubled bounds how often the patience with a portal is doubled.
const maxDoubled = 8

// patience is how long to wait for a response: a request may be lost while a target starts, and a
// busy target may be slow. So the first wait is short, and each login without an answer doubles it
// for that portal. A portal is left sooner while another one remains to be tried. A target that has
// answered before is asked again sooner.
func (s *Session) patience(e entry) time.Duration {
	first := s.times.first
	if s.again {
		first = s.times.firstAgain
	}
	if e.others {
		first = min(first, s.times.firstOfMany)
	}
	return min(first<<min(s.silent[e.addr], maxDoubled), s.times.response)
}

// heard notes whether the portal answered a login, and how long its slowest response took. One that
// took its time will do so again: the next login there is as patient as this one had to be.
func (s *Session) heard(e entry, slowest time.Duration, err error) {
	if s.silent == nil {
		s.silent = map[netip.AddrPort]int{}
	}
	var silence *SilenceError
	if errors.As(err, &silence) {
		s.silent[e.addr]++
		return
	}
	delete(s.silent, e.addr)
	for s.silent[e.addr] < maxDoubled && s.patience(e) < slowest && s.patience(e) < s.times.response {
		s.silent[e.addr]++
	}
}

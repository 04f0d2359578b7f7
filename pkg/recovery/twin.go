package recovery

import "time"

// Another machine with our initiator name and ISID throws us out by logging in,
// and we throw it out the same way (RFC 7143 6.3.5): each login succeeds at the
// first try, as no target does that is being restarted, and lasts for a moment
// only.
const (
	twinLogins = 5                // so many in a row
	twinLife   = 10 * time.Second // each thrown out within
	twinSpan   = 2 * time.Minute  // all within
	twinPause  = time.Minute      // how long the other one is left in peace
)

// twins counts logins that did not last. Times are on a monotonic clock.
type twins struct {
	loggedIn time.Duration
	short    []time.Duration // when the last ones ended
}

// login notes that a login succeeded, and whether at the first try.
func (t *twins) login(now time.Duration, first bool) {
	t.loggedIn = now
	if !first {
		t.short = t.short[:0]
	}
}

// broken notes that the connection broke. It tells whether that looks like
// another machine with our name; the count then begins anew.
func (t *twins) broken(now time.Duration) bool {
	if now-t.loggedIn > twinLife {
		t.short = t.short[:0]
		return false
	}
	t.short = append(t.short, now)
	if len(t.short) < twinLogins {
		return false
	}
	t.short = t.short[len(t.short)-twinLogins:]
	if now-t.short[0] > twinSpan {
		return false
	}
	t.short = t.short[:0]
	return true
}

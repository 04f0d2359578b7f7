package recovery

import (
	"strings"
	"testing"
	"time"
)

func TestPauseIsReported(t *testing.T) {
	s := Status{SID: 1, Name: "iqn.a:t", NotBefore: 57500 * time.Millisecond}
	if got := reportSessions([]Status{s}); !strings.Contains(got, "\nsession 1 waits 57.5\n") {
		t.Errorf("report %q", got)
	}
	s.NotBefore = 0
	if got := reportSessions([]Status{s}); strings.Contains(got, "waits") {
		t.Errorf("report without a pause %q", got)
	}
}

// A pause goes on in the agent that goes on with the outage, and its end is said.
func TestPauseOutlivesAnAgent(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.up = false })
		time.Sleep(39 * time.Second)
		if r.loginCount() != 0 {
			t.Error("a login in the pause")
		}
		time.Sleep(2 * time.Second)
		if r.loginCount() != 1 || !r.has("the pause of 40 s is over: logging in again") {
			t.Errorf("%d logins", r.loginCount())
		}
	}, Status{SID: 1, Down: 20 * time.Second, Cause: "target closed the connection", NotBefore: 40 * time.Second})
}

package uplink

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// server gives leases of two minutes, as a test sets it.
type server struct {
	began time.Time
	asked []string // "renew 60": when, in seconds
	plan  func(now time.Duration) moment
}

// moment is how things are at some time.
type moment struct {
	err    error         // the server's answer
	silent bool          // it does not answer
	others bool          // the system has a client
	left   time.Duration // of the address; 0: it has no end
	away   bool          // the interface has other addresses instead
}

func (s *server) now() time.Duration { return time.Since(s.began) }

func (s *server) extend(what string) extender {
	return func(ctx context.Context, cfg dhcp4.Config, l dhcp.Lease) (dhcp.Lease, error) {
		s.asked = append(s.asked, fmt.Sprintf("%s %d", what, int(s.now().Seconds())))
		at := s.now()
		now := s.plan(at)
		if now.silent {
			<-ctx.Done()
			return dhcp.Lease{}, &dhcp.NoLeaseError{Interface: cfg.Interface, Err: ctx.Err()}
		}
		if now.err != nil {
			return dhcp.Lease{}, now.err
		}
		l.Obtained = at
		return l, nil
	}
}

// renewing runs a renewer for so long in a time of its own.
func renewing(t *testing.T, run time.Duration, plan func(time.Duration) moment) (*server, lines, int) {
	t.Helper()
	s, log, got, _ := renewingTold(t, run, plan)
	return s, log, got
}

// renewingTold returns, too, until when the lease lasts that another program renews.
func renewingTold(t *testing.T, run time.Duration, plan func(time.Duration) moment) (*server, lines, int, time.Duration) {
	t.Helper()
	s, log, got, end := &server{plan: plan}, lines{}, 0, time.Duration(0)
	synctest.Test(t, func(t *testing.T) {
		s.began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), run)
		defer cancel()
		l := dhcp.Lease{Interface: "eth0", Method: dhcp.DHCP4, Address: netip.MustParsePrefix("10.0.0.2/24")}
		l.SetTimes(2*time.Minute, 0, 0)
		r := &Renewer{
			renew: s.extend("renew"), rebind: s.extend("rebind"), clock: s.now, log: &log,
			holder: func(dhcp.Lease) holding {
				now := plan(s.now())
				return holding{dhcp4.Config{Interface: "eth0"}, !now.away, now.others, cmp.Or(now.left, dhcp.Infinite)}
			},
			onRenewed: func(dhcp.Lease) { got++ },
			current:   func(l dhcp.Lease) { end = max(end, l.Obtained+l.Lifetime) },
		}
		r.Run(ctx, l)
	})
	return s, log, got, end
}

func TestRenew(t *testing.T) {
	s, log, got := renewing(t, time.Hour-time.Second, func(time.Duration) moment { return moment{} })
	if len(s.asked) != 59 || got != 59 || len(log) != 0 || s.asked[58] != "renew 3540" {
		t.Errorf("asked %v, log %q", s.asked, log)
	}
}

// A server that does not answer is asked until the lease ends, then any server, and the address is
// kept meanwhile.
func TestRenewAfterServerOutage(t *testing.T) {
	s, log, _ := renewing(t, 10*time.Minute, func(now time.Duration) moment {
		return moment{silent: now < 5*time.Minute+30*time.Second}
	})
	text := strings.Join(log, "; ")
	if !strings.Contains(text, "lease expired; keeping 10.0.0.2 because root depends on it") || !strings.Contains(text, "the lease of 10.0.0.2 is renewed") || len(log) != 2 {
		t.Errorf("log %q", log)
	}
	if s.asked[0] != "renew 60" || !strings.HasPrefix(s.asked[1], "rebind 10") {
		t.Errorf("asked %v", s.asked)
	}
}

func TestRefusedLeaseIsLoggedOnce(t *testing.T) {
	s, log, _ := renewing(t, 10*time.Minute, func(time.Duration) moment { return moment{err: fmt.Errorf("extend: %w", dhcp4.ErrRefused)} })
	if len(log) != 1 || len(s.asked) < 5 || len(s.asked) > 12 {
		t.Errorf("log %q, asked %v", log, s.asked)
	}
}

// The system's own client renews the lease for as long as it runs.
func TestNoRenewalBesideClient(t *testing.T) {
	s, log, got := renewing(t, 10*time.Minute, func(now time.Duration) moment { return moment{others: now < 5*time.Minute} })
	if len(log) != 2 || got < 4 || len(s.asked) == 0 || !strings.HasPrefix(s.asked[0], "rebind 3") {
		t.Errorf("log %q, asked %v", log, s.asked)
	}
}

// A client of the system renews, as the address's lifetime shows, and is killed: the lease is
// renewed before it expires, and not as an expired one.
func TestRenewAfterClientIsKilled(t *testing.T) {
	for name, killed := range map[string]time.Duration{"soon": 10 * time.Second, "after hours": 5*time.Hour + 17*time.Second} {
		t.Run(name, func(t *testing.T) {
			renewed := killed.Truncate(time.Minute) // at T1, the last time before the end
			plan := func(now time.Duration) moment {
				left := 2 * time.Minute
				if now < killed {
					left -= now % time.Minute
				} else {
					left -= now - renewed
				}
				if left <= 0 {
					return moment{}
				}
				return moment{others: left > 15*time.Second, left: left}
			}
			s, log, got := renewing(t, renewed+119*time.Second, plan)
			if got != 1 || len(s.asked) != 1 || !strings.HasPrefix(s.asked[0], "rebind ") || len(log) != 2 {
				t.Errorf("asked %v, log %q, until %v", s.asked, log, renewed+2*time.Minute)
			}
		})
	}
}

// A lease that another program renews has not expired: as long as the address's lifetime shows it,
// or else for an eighth of the lease since it was last seen.
func TestLeaseRenewedByAnotherProgram(t *testing.T) {
	for name, tt := range map[string]struct {
		now   moment
		least time.Duration // after ten minutes
	}{
		"with a lifetime":    {moment{others: true, left: 100 * time.Second}, 650 * time.Second},
		"without an end":     {moment{others: true}, 605 * time.Second},
		"another address":    {moment{others: true, away: true}, 0},
		"no other program's": {moment{}, 0},
	} {
		_, _, _, end := renewingTold(t, 10*time.Minute, func(time.Duration) moment { return tt.now })
		if end < tt.least || tt.least == 0 && end != 0 || end > 700*time.Second {
			t.Errorf("%s: lasts until %v", name, end)
		}
	}
}

func TestInfiniteLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := func(context.Context, dhcp4.Config, dhcp.Lease) (dhcp.Lease, error) {
			t.Error("a lease without an end was to be renewed")
			return dhcp.Lease{}, nil
		}
		began := time.Now()
		r := &Renewer{clock: func() time.Duration { return time.Since(began) }, renew: asked, rebind: asked}
		l := dhcp.Lease{}
		l.SetTimes(dhcp.Infinite, 0, 0)
		r.Run(t.Context(), l)
		if waited := time.Since(began); waited > 0 {
			t.Errorf("the renewer of a lease without an end waited for %v", waited)
		}
	})
}

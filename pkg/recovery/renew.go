package recovery

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// extender asks for more time for a lease: dhcp4.Renew and dhcp4.Rebind.
type extender func(ctx context.Context, cfg dhcp4.Config, l dhcp.Lease) (dhcp.Lease, error)

// renewer keeps a leased address for as long as no DHCP client of the system
// does: one that was never started leaves root with an address that the server
// gives to somebody else.
type renewer struct {
	renew, rebind extender
	// clock is the time since boot, that of sleep included, as Lease.Obtained.
	clock func() time.Duration
	// others returns the interface's name, and whether somebody else looks
	// after the address.
	others func() (cfg dhcp4.Config, others bool)
	got    func(dhcp.Lease)
	log    Logger

	passive bool // somebody else does
	expired bool
}

// Pauses of the renewer.
const (
	renewAgain = time.Minute      // between requests that nobody answered, after rebinding began
	renewLeast = 2 * time.Second  // between any two
	renewLook  = 30 * time.Second // whether somebody else still does it
)

// run works until ctx ends.
func (r *renewer) run(ctx context.Context, l dhcp.Lease) {
	for {
		wait := l.Obtained + l.Renew - r.clock()
		if l.Renew == dhcp.Infinite || l.Renew <= 0 {
			return
		}
		if !pause(ctx, max(wait, renewLeast)) {
			return
		}
		cfg, others := r.others()
		if others != r.passive {
			r.passive = others
			if others {
				r.log.Infof("network: the system renews the lease of %s: standing by", l.Address.Addr())
			} else {
				r.log.Infof("network: nobody renews the lease of %s: doing it", l.Address.Addr())
			}
		}
		if others || cfg.Interface == "" {
			if !pause(ctx, renewLook) {
				return
			}
			continue
		}
		l = r.extend(ctx, cfg, l)
	}
}

// extend asks the server that gave the lease, and later any (RFC 2131 section
// 4.4.5), and returns the lease as it then is.
func (r *renewer) extend(ctx context.Context, cfg dhcp4.Config, l dhcp.Lease) dhcp.Lease {
	ask, end := r.renew, l.Obtained+l.Rebind
	now := r.clock()
	if now >= end {
		ask, end = r.rebind, max(l.Obtained+l.Lifetime, now+renewAgain)
	}
	asking, cancel := context.WithTimeout(ctx, max(end-now, renewLeast))
	defer cancel()
	next, err := ask(asking, cfg, l)
	switch {
	case err == nil:
		if r.expired {
			r.log.Warnf("network: the lease of %s is renewed", l.Address.Addr())
		}
		r.expired = false
		next.Interface = l.Interface
		r.got(next)
		return next
	case ctx.Err() != nil:
		return l
	case errors.Is(err, dhcp4.ErrRefused), r.clock() >= l.Obtained+l.Lifetime:
		if !r.expired {
			r.log.Errorf("network: %v: root hangs on %s, which is kept: another machine may get it", err, l.Address.Addr())
		}
		r.expired = true
	}
	pause(ctx, renewLeast)
	if errors.Is(err, dhcp4.ErrRefused) {
		pause(ctx, renewAgain)
	}
	return l
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sinceBoot is the clock of leases.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// dhcpClient tells whether a process has the port of DHCP's clients open, from
// the text of /proc/net/udp (net/ipv4/udp.c: udp4_format_sock).
func dhcpClient(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line) // sl local_address ...
		if len(f) > 1 && strings.HasSuffix(f[1], ":0044") {
			return true
		}
	}
	return false
}

// clientRuns asks the kernel for that.
func clientRuns() bool {
	b, err := os.ReadFile("/proc/net/udp")
	return err == nil && dhcpClient(string(b))
}

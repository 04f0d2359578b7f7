package recovery

import (
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Uplink is an address by which the boot reached its targets. The agent keeps
// it where no other program does.
type Uplink struct {
	Index int    // the kernel's number of the interface, which a new name does not change
	MAC   string // finds the interface again if its driver was loaded anew
	Keep  bool   // put back what the system takes away
	Lease dhcp.Lease
}

// link is an interface as it is now.
type link struct {
	index int
	name  string
	up    bool // administratively
}

// owned is an address of an interface.
type owned struct {
	netip.Prefix
	left time.Duration // of its lifetime; dhcp.Infinite: it has no end, as the boot gives it
}

// nic is what the keeper asks of the kernel.
type nic interface {
	find(u Uplink) (link, bool)
	addresses(index int, v6 bool) ([]owned, error)
	setUp(index int) error
	addAddress(index int, p netip.Prefix) error
	// hasRoute tells whether there is any route to that network.
	hasRoute(to netip.Prefix) bool
	addRoute(index int, r dhcp.Route) error
	// askAgain asks at once for the neighbours that have not answered so far.
	askAgain(index int) error
	// dhcpClient tells whether a process looks after an IPv4 address by DHCP.
	dhcpClient(index int, addr netip.Addr) bool
}

// Times of putting an address back. A network manager that is restarted takes it
// away and brings it back by itself in a moment. What is taken away again and
// again is left away for longer each time.
const (
	keepDelay = time.Second
	keepMost  = time.Minute
	keepCalm  = 10 * time.Minute // without a loss: the next one is the first again
)

// kept is an uplink with what the agent has seen of it. Times are on a
// monotonic clock.
type kept struct {
	Uplink
	name    string        // when last seen
	gone    bool          // there is no such interface
	lost    time.Duration // since when something is missing; -1: nothing is
	said    string        // what was said of it
	tries   int
	healed  time.Duration // when it last was
	putBack int           // how often
}

func newKept(u Uplink) *kept {
	return &kept{Uplink: u, name: u.Lease.Interface, lost: -1}
}

// want is the address; not valid: the interface has none of ours.
func (k *kept) want() netip.Prefix { return k.Lease.Address }

// check looks after the uplink and returns after how long to look again at the
// latest.
func (k *kept) check(now time.Duration, n nic, log Logger) time.Duration {
	l, ok := n.find(k.Uplink)
	if !ok {
		if !k.gone {
			log.Warnf("network: %s (%s) is gone", k.name, k.MAC)
		}
		k.gone = true
		return surveyEvery
	}
	if k.gone {
		log.Warnf("network: %s (%s) is back", l.name, k.MAC)
		k.gone = false
	}
	k.Index = l.index
	if l.name != k.name {
		log.Infof("network: %s is called %s now", k.name, l.name)
		k.name = l.name
	}
	missing := k.missing(l, n)
	if missing == "" {
		k.lost, k.said = -1, ""
		return surveyEvery
	}
	if k.lost < 0 {
		k.lost = now
	}
	if now-k.healed > keepCalm {
		k.tries = 0
	}
	if wait := k.lost + min(keepDelay<<min(k.tries, 6), keepMost) - now; wait > 0 {
		return wait
	}
	if !k.Keep {
		if k.said != missing {
			k.said = missing
			log.Warnf("network: %s: left as it is", missing)
		}
		return surveyEvery
	}
	k.heal(l, n, log, missing)
	k.tries, k.healed, k.lost = k.tries+1, now, -1
	return keepDelay
}

// missing says in words what an interface lacks of what the boot gave it; "":
// nothing. Another address of the same kind is the system's choice.
func (k *kept) missing(l link, n nic) string {
	if !l.up {
		return l.name + " was taken down"
	}
	if !k.want().IsValid() {
		return ""
	}
	have, err := n.addresses(l.index, k.want().Addr().Is6())
	if err != nil {
		return ""
	}
	others := false
	for _, a := range have {
		if a.Addr() == k.want().Addr() {
			return k.noRoute(l, n)
		}
		others = others || !a.Addr().IsLinkLocalUnicast()
	}
	if others {
		return ""
	}
	return l.name + " lost " + k.want().String()
}

// noRoute says which route is missing. Any other one to the same network is
// the system's choice.
func (k *kept) noRoute(l link, n nic) string {
	for _, r := range k.Lease.Routes {
		if !n.hasRoute(r.To) {
			return l.name + " lost its route " + r.String()
		}
	}
	return ""
}

// heal puts back what the boot had made.
func (k *kept) heal(l link, n nic, log Logger, missing string) {
	err := n.setUp(l.index)
	if err == nil && k.want().IsValid() {
		err = n.addAddress(l.index, k.want())
	}
	for _, r := range k.Lease.Routes {
		if err == nil && !n.hasRoute(r.To) {
			err = n.addRoute(l.index, r)
		}
	}
	if err != nil {
		log.Errorf("network: %s: put it back: %v", missing, err)
		return
	}
	k.putBack++
	log.Warnf("network: %s: put back", missing)
}

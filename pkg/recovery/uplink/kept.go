package uplink

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// Times of putting an address back. A network manager that is restarted takes it
// away and brings it back by itself in a moment. What is taken away again and
// again is left away for longer each time.
const (
	keepDelay = time.Second      // at first: a network manager that restarts puts it back itself
	keepMost  = time.Minute      // the longest: root has no network meanwhile
	keepCalm  = 10 * time.Minute // without a loss: the next one is the first again
	// keepSlow is how much later a manager's own address may come that was to replace
	// the boot's: by DHCP, or after a look for duplicates.
	keepSlow = time.Minute
	// keepTrial is for how long the addresses that the administrator has chosen
	// are tried before the boot's is put back beside them.
	keepTrial = 10 * time.Second
)

// kept is an uplink with what the agent has seen of it. Times are on a
// monotonic clock.
type kept struct {
	Uplink
	name     string        // when last seen
	gone     bool          // there is no such interface
	place    place         // of the address
	former   link          // the last place at which all was well; index 0: none yet
	lost     time.Duration // since when something is missing; -1: nothing is
	raised   bool          // the interface was set up just now: what went with it is put back at once
	said     string        // what was said of it
	tries    int
	restored time.Duration // when it last was
	putBack  int           // how often
	moves    int
	movesAt  time.Duration // when it may be moved again
	added    []dhcp.Route  // with the temporary address
}

func newKept(u Uplink) *kept {
	return &kept{Uplink: u, name: u.Lease.Interface, lost: -1, place: place{chain: []link{{index: u.Index, name: u.Lease.Interface}}}}
}

// backoff is the pause before something is done again.
func (k *kept) backoff(tries int) time.Duration { return min(keepDelay<<min(tries, 6), keepMost) }

// say warns of something once.
func (k *kept) say(a *look, text string) {
	if k.said != text {
		k.said = text
		a.log.Warnf("network: %s", text)
	}
}

// check puts right what is wrong with the uplink, and returns after how long to look again at the
// latest.
func (k *kept) check(a *look) time.Duration {
	if !k.locate(a) || !a.sees(k.want()) {
		return recovery.SurveyEvery
	}
	if a.now-k.restored > keepCalm {
		k.tries = 0
	}
	if wait, done := k.follow(a); !done {
		return wait
	}
	switch missing := k.missing(a); {
	case missing.what == "":
		k.lost, k.raised, k.said = -1, false, ""
		k.takeAway(a)
		return recovery.SurveyEvery
	case len(missing.beside) > 0:
		k.lost, k.raised, k.Temporary = -1, false, false
		return k.trial(a, missing)
	default:
		return k.restore(a, missing)
	}
}

// locate finds the interface and its place.
func (k *kept) locate(a *look) bool {
	l, ok := find(a.nic, k.Uplink)
	if !ok {
		if !k.gone {
			a.log.Warnf("network: %s (%s) is gone", k.name, k.MAC)
		}
		k.gone = true
		return false
	}
	if k.gone {
		a.log.Warnf("network: %s (%s) is back", l.name, k.MAC)
		k.gone = false
	}
	k.identify(a.nic, &l)
	k.Index = l.index
	if l.name != k.name {
		a.log.Infof("network: %s was renamed to %s", k.name, l.name)
		k.name = l.name
	}
	k.settle(placeOf(a.nic, l), a.log)
	return true
}

// lack is what an uplink lacks of what the boot gave it.
type lack struct {
	what    string // in words; "": nothing
	down    int    // the interface that was taken down; 0: none
	address bool   // the address is missing
	beside  []netip.Prefix
}

// missing tells what is missing. An address that the boot has not given, on
// whatever interface, is the administrator's choice.
func (k *kept) missing(a *look) lack {
	if l := k.place.down(); l.index != 0 {
		return lack{what: l.name + " was taken down", down: l.index}
	}
	if !k.want().IsValid() || k.place.stuck() {
		return lack{}
	}
	for _, o := range a.addresses(k.want().Addr().Is6()) {
		switch {
		case o.Addr() != k.want().Addr():
		case k.there(a):
			return lack{what: k.noRoute(a)}
		default: // another interface has it, and what routes it needs
			return lack{}
		}
	}
	return lack{what: k.place.top().name + " lost " + k.want().String(), address: true, beside: k.chosen(a)}
}

// chosen returns the addresses that the administrator has chosen instead. Those of
// the uplink's own interfaces count without a carrier too.
func (k *kept) chosen(a *look) []netip.Prefix { return a.chosen(k.want().Addr().Is6(), k.place.has) }

// beside tells that the address is a temporary one, and that others are there.
func (k *kept) beside(a *look) bool { return k.Temporary && len(k.chosen(a)) > 0 }

// there tells whether the address is at its place.
func (k *kept) there(a *look) bool {
	return slices.ContainsFunc(a.addresses(k.want().Addr().Is6()), func(o owned) bool {
		return o.Addr() == k.want().Addr() && o.index == k.place.top().index
	})
}

// noRouteTo returns what tells of a network whether it has no route. Any is the
// system's choice.
func (k *kept) noRouteTo(a *look) func(netip.Prefix) bool {
	return func(to netip.Prefix) bool { return !a.nic.hasRoute(to, k.place.above.table) }
}

// noRoute says which route is missing.
func (k *kept) noRoute(a *look) string {
	lacks := k.noRouteTo(a)
	for _, r := range k.Lease.Routes {
		if lacks(r.To) {
			return k.place.top().name + " lost its route " + r.String()
		}
	}
	return ""
}

// addRoutes adds those of the boot's routes that are to be.
func (k *kept) addRoutes(a *look, wanted func(netip.Prefix) bool) error {
	for _, r := range k.Lease.Routes {
		if !wanted(r.To) {
			continue
		}
		if err := a.nic.addRoute(k.place.top().index, r, k.place.above.table); err != nil {
			return err
		}
		if k.Temporary {
			k.added = append(k.added, r)
		}
	}
	return nil
}

// restore puts back what is missing when it is time to.
func (k *kept) restore(a *look, missing lack) time.Duration {
	if k.lost < 0 {
		k.lost = a.now
	}
	if wait := k.lost + k.backoff(k.tries) - a.now; wait > 0 && (!k.raised || missing.down != 0) {
		return wait
	}
	if !k.may(a, missing) {
		return recovery.SurveyEvery
	}
	k.repair(a, missing)
	k.tries, k.restored, k.lost, k.raised = k.tries+1, a.now, -1, missing.down != 0
	return keepDelay
}

// may tells whether something is to be put back, and reports if it is not. The
// address of a lease that has run out may be another machine's by now.
func (k *kept) may(a *look, missing lack) bool {
	l := k.Lease
	switch {
	case !k.Keep:
		k.say(a, missing.what+": not put back")
		return false
	case missing.address && l.Lifetime > 0 && l.Lifetime != dhcp.Infinite && a.boot >= l.Obtained+l.Lifetime:
		k.say(a, missing.what+", and its lease has expired: not put back")
		return false
	}
	return true
}

// repair puts back what is missing. An interface is set up and no more: what it
// then lacks shows when it is up.
func (k *kept) repair(a *look, missing lack) {
	var err error
	if missing.down != 0 {
		err = a.nic.setUp(missing.down)
	} else {
		if missing.address {
			k.Temporary, k.added = true, nil
			err = a.nic.addAddress(k.place.top().index, k.want())
		}
		if err == nil {
			err = k.addRoutes(a, k.noRouteTo(a))
		}
	}
	if err != nil {
		a.log.Errorf("network: %s: put it back: %v", missing.what, err)
		return
	}
	if missing.down != 0 || !k.raised { // else it is a part of what was counted
		k.putBack++
	}
	a.log.Warnf("network: %s: put back", missing.what)
}

// trial leaves the machine to the addresses that the administrator has chosen,
// for as long as they reach the targets.
func (k *kept) trial(a *look, missing lack) time.Duration {
	since, down := a.sessions.down(k.want().Addr(), a.boots)
	if !down {
		return recovery.SurveyEvery
	}
	due := since + keepTrial
	if k.tries > 0 {
		due = max(due, k.restored+k.backoff(k.tries))
	}
	if wait := due - a.now; wait > 0 {
		return wait
	}
	if !k.may(a, missing) {
		return recovery.SurveyEvery
	}
	k.tries, k.restored, k.added = k.tries+1, a.now, nil
	top := k.place.top()
	k.Temporary = true
	err := a.nic.addAddress(top.index, k.want())
	if err == nil {
		err = k.addRoutes(a, k.noRouteTo(a))
	}
	if err != nil {
		a.log.Errorf("network: %s: put it back: %v", missing.what, err)
		return keepDelay
	}
	k.putBack++
	a.log.Warnf("network: no address of %s reaches a target for %d s: %s put back beside %s",
		top.name, int(keepTrial.Seconds()), k.want(), prefixes(missing.beside))
	return keepDelay
}

// takeAway takes a temporary address away when every session goes by another one.
// Without others it stays; if none has come for keepSlow, for good.
func (k *kept) takeAway(a *look) {
	if !k.Temporary {
		return
	}
	top := k.place.top()
	switch {
	case !k.beside(a):
		if a.now-k.restored >= keepSlow {
			k.Temporary, k.added = false, nil
		}
	case !a.sessions.free(k.want().Addr()) || !k.there(a):
	default:
		for _, r := range k.added {
			if err := a.nic.removeRoute(top.index, r, k.place.above.table); err != nil {
				a.log.Warnf("network: take the route %s from %s: %v", r, top.name, err)
			}
		}
		if err := a.nic.removeAddress(top.index, k.want()); err != nil {
			a.log.Warnf("network: take %s from %s: %v", k.want(), top.name, err)
			return
		}
		k.Temporary, k.added = false, nil
		a.log.Warnf("network: %s removed from %s again: the sessions use other addresses", k.want(), top.name)
	}
}

// maxNamed is how many addresses a message names.
const maxNamed = 4

// prefixes writes addresses in a line.
func prefixes(list []netip.Prefix) string {
	var out []string
	for _, p := range list[:min(len(list), maxNamed)] {
		out = append(out, p.String())
	}
	if len(list) > maxNamed {
		out = append(out, "...")
	}
	return strings.Join(out, ", ")
}

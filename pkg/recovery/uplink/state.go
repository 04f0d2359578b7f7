package uplink

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// Times of restoring an address. A network manager that is restarted removes it and restores it
// itself in a moment. The pause grows each time that an address is removed again.
const (
	minRestorePause   = time.Second      // the first pause: a network manager that restarts restores it itself
	maxRestorePause   = time.Minute      // the longest pause: root has no network meanwhile
	backoffResetAfter = 10 * time.Minute // without a loss: the next pause is the first again
	// slowManagerTime is how much later a network manager's own address may appear that
	// replaces the boot's: by DHCP, or after duplicate address detection.
	slowManagerTime = time.Minute
	// trialTime is for how long the addresses that the administrator has chosen are tried
	// before the boot's is restored beside them.
	trialTime = 10 * time.Second
)

// uplinkState is an uplink with its state in the agent. Times are on a monotonic clock.
type uplinkState struct {
	Uplink
	name      string        // at the last check
	gone      bool          // there is no such interface
	place     place         // of the address
	lastPlace link          // the last place without an error; index 0: none yet
	lost      time.Duration // since when something is missing; -1: nothing is missing
	setUpNow  bool          // the interface was set up just now: what it lost is restored immediately
	logged    string        // the last warning that was logged
	tries     int
	restored  time.Duration // when it was last restored
	putBack   int           // how often
	moves     int
	movesAt   time.Duration // when it may be moved again
	added     []dhcp.Route  // added with the temporary address
}

func newKept(u Uplink) *uplinkState {
	return &uplinkState{Uplink: u, name: u.Lease.Interface, lost: -1, place: place{chain: []link{{index: u.Index, name: u.Lease.Interface}}}}
}

// backoff is the pause before another attempt.
func (k *uplinkState) backoff(tries int) time.Duration {
	return min(minRestorePause<<min(tries, 6), maxRestorePause)
}

// warnOnce logs a warning once.
func (k *uplinkState) warnOnce(a *snapshot, text string) {
	if k.logged != text {
		k.logged = text
		a.log.Warnf("network: %s", text)
	}
}

// check restores what the uplink has lost, and returns when to call it again at the latest.
func (k *uplinkState) check(a *snapshot) time.Duration {
	if !k.locate(a) || !a.readable(k.want()) {
		return recovery.SurveyEvery
	}
	if a.now-k.restored > backoffResetAfter {
		k.tries = 0
	}
	if wait, done := k.moveToPlace(a); !done {
		return wait
	}
	switch missing := k.missing(a); {
	case missing.what == "":
		k.lost, k.setUpNow, k.logged = -1, false, ""
		k.removeTemporary(a)
		return recovery.SurveyEvery
	case len(missing.others) > 0:
		k.lost, k.setUpNow, k.Temporary = -1, false, false
		return k.tryOthers(a, missing)
	default:
		return k.restore(a, missing)
	}
}

// locate finds the interface and its place.
func (k *uplinkState) locate(a *snapshot) bool {
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
	k.setPlace(placeOf(a.nic, l), a.log)
	return true
}

// defect is what an uplink has lost of what the boot configured.
type defect struct {
	what    string // in words; "": nothing
	down    int    // the interface that was set down; 0: none
	address bool   // the address is missing
	others  []netip.Prefix
}

// missing returns what is missing. An address that the boot has not configured, on whatever
// interface, is the administrator's choice.
func (k *uplinkState) missing(a *snapshot) defect {
	if l := k.place.down(); l.index != 0 {
		return defect{what: l.name + " was taken down", down: l.index}
	}
	if !k.want().IsValid() || k.place.unmovable() {
		return defect{}
	}
	for _, o := range a.addresses(k.want().Addr().Is6()) {
		switch {
		case o.Addr() != k.want().Addr():
		case k.present(a):
			return defect{what: k.missingRoute(a)}
		default: // another interface has it, with the routes that it needs
			return defect{}
		}
	}
	return defect{what: k.place.top().name + " lost " + k.want().String(), address: true, others: k.chosen(a)}
}

// chosen returns the addresses that the administrator has chosen instead. Those of the uplink's own
// interfaces are included without a carrier too.
func (k *uplinkState) chosen(a *snapshot) []netip.Prefix {
	return a.chosen(k.want().Addr().Is6(), k.place.has)
}

// hasOthers reports whether the address is temporary and there are others.
func (k *uplinkState) hasOthers(a *snapshot) bool { return k.Temporary && len(k.chosen(a)) > 0 }

// present reports whether the address is at its place.
func (k *uplinkState) present(a *snapshot) bool {
	return slices.ContainsFunc(a.addresses(k.want().Addr().Is6()), func(o ifaceAddr) bool {
		return o.Addr() == k.want().Addr() && o.index == k.place.top().index
	})
}

// noRouteTo returns a function that reports whether there is no route to a network. Any route is
// the system's choice.
func (k *uplinkState) noRouteTo(a *snapshot) func(netip.Prefix) bool {
	return func(to netip.Prefix) bool { return !a.nic.hasRoute(to, k.place.upper.table) }
}

// missingRoute returns which route is missing.
func (k *uplinkState) missingRoute(a *snapshot) string {
	lacks := k.noRouteTo(a)
	for _, r := range k.Lease.Routes {
		if lacks(r.To) {
			return k.place.top().name + " lost its route " + r.String()
		}
	}
	return ""
}

// addRoutes adds the boot's routes for which wanted returns true.
func (k *uplinkState) addRoutes(a *snapshot, wanted func(netip.Prefix) bool) error {
	for _, r := range k.Lease.Routes {
		if !wanted(r.To) {
			continue
		}
		if err := a.nic.addRoute(k.place.top().index, r, k.place.upper.table); err != nil {
			return err
		}
		if k.Temporary {
			k.added = append(k.added, r)
		}
	}
	return nil
}

// restore restores what is missing when that is due.
func (k *uplinkState) restore(a *snapshot, missing defect) time.Duration {
	if k.lost < 0 {
		k.lost = a.now
	}
	if wait := k.lost + k.backoff(k.tries) - a.now; wait > 0 && (!k.setUpNow || missing.down != 0) {
		return wait
	}
	if !k.mayRestore(a, missing) {
		return recovery.SurveyEvery
	}
	k.restoreNow(a, missing)
	k.tries, k.restored, k.lost, k.setUpNow = k.tries+1, a.now, -1, missing.down != 0
	return minRestorePause
}

// mayRestore reports whether something is to be restored, and logs if it is not. The server may
// have assigned the address of an expired lease to another machine.
func (k *uplinkState) mayRestore(a *snapshot, missing defect) bool {
	l := k.Lease
	switch {
	case !k.Keep:
		k.warnOnce(a, missing.what+": not put back")
		return false
	case missing.address && l.Lifetime > 0 && l.Lifetime != dhcp.Infinite && a.boot >= l.Obtained+l.Lifetime:
		k.warnOnce(a, missing.what+", and its lease has expired: not put back")
		return false
	}
	return true
}

// restoreNow restores what is missing. An interface is only set up: what else is missing is found
// when it is up.
func (k *uplinkState) restoreNow(a *snapshot, missing defect) {
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
	if missing.down != 0 || !k.setUpNow { // otherwise it was counted already
		k.putBack++
	}
	a.log.Warnf("network: %s: put back", missing.what)
}

// tryOthers restores nothing while the addresses that the administrator has chosen reach the
// targets.
func (k *uplinkState) tryOthers(a *snapshot, missing defect) time.Duration {
	since, down := a.sessions.down(k.want().Addr(), a.boots)
	if !down {
		return recovery.SurveyEvery
	}
	due := since + trialTime
	if k.tries > 0 {
		due = max(due, k.restored+k.backoff(k.tries))
	}
	if wait := due - a.now; wait > 0 {
		return wait
	}
	if !k.mayRestore(a, missing) {
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
		return minRestorePause
	}
	k.putBack++
	a.log.Warnf("network: no address of %s reaches a target for %d s: %s put back beside %s",
		top.name, int(trialTime.Seconds()), k.want(), prefixes(missing.others))
	return minRestorePause
}

// removeTemporary removes a temporary address when every session uses another one. Without others
// it stays; if none has appeared for slowManagerTime, permanently.
func (k *uplinkState) removeTemporary(a *snapshot) {
	if !k.Temporary {
		return
	}
	top := k.place.top()
	switch {
	case !k.hasOthers(a):
		if a.now-k.restored >= slowManagerTime {
			k.Temporary, k.added = false, nil
		}
	case !a.sessions.unused(k.want().Addr()) || !k.present(a):
	default:
		for _, r := range k.added {
			if err := a.nic.removeRoute(top.index, r, k.place.upper.table); err != nil {
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

// maxNamed is how many addresses a message lists.
const maxNamed = 4

// prefixes lists addresses in a line.
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

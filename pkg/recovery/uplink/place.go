package uplink

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// An interface that becomes a port of a bridge, a bond or a team receives no packets itself any
// more (net/core/dev.c: rx_handler): the answers to what is sent from its address arrive at the
// master, which is the place of the address from then on. A network manager moves it too, but its
// programs may be on the root, which waits for the network.

// maxMasters is how many masters are followed, one above the other: a bond in a bridge is two.
const maxMasters = 8

// place is the interface that the address of an uplink belongs to.
type place struct {
	chain []link // from the uplink's interface up to the one with the address
	upper link   // the master of that, if it does not get the address; index 0: none
	lower link   // the lower device of the boot's VLAN, with which it goes down and up; index 0: none
}

func (p *place) top() *link { return &p.chain[len(p.chain)-1] }

// vrf is the device that a connection must be bound to; "": none. An interface in a VRF keeps its
// address (Documentation/networking/vrf.rst).
func (p *place) vrf() string {
	if p.upper.kind == "vrf" {
		return p.upper.name
	}
	return ""
}

// unmovable reports whether the interface is a port of a device that the agent does not move
// addresses to.
func (p *place) unmovable() bool { return p.upper.index != 0 && p.upper.kind != "vrf" }

// has reports whether an interface is in the chain.
func (p *place) has(index int) bool {
	return slices.ContainsFunc(p.chain, func(l link) bool { return l.index == index })
}

// down returns an interface that must be up and is not; index 0: there is none. The ports of a bond
// and a team are left to it.
func (p *place) down() link {
	if p.lower.index != 0 && !p.lower.up {
		return p.lower
	}
	for i, l := range p.chain {
		ofSeveral := i+1 < len(p.chain) && (p.chain[i+1].kind == "bond" || p.chain[i+1].kind == "team")
		if !l.up && !ofSeveral {
			return l
		}
	}
	return link{}
}

// placeOf follows the masters of an interface to where its address belongs.
func placeOf(n nic, l link) place {
	p := place{chain: []link{l}}
	if l.kind == "vlan" {
		p.lower, _ = n.link(l.parent)
	}
	for range maxMasters {
		port := p.top()
		if port.master == 0 {
			break
		}
		master, ok := n.link(port.master)
		if !ok {
			break
		}
		if !carries(port, &master) {
			p.upper = master
			break
		}
		p.chain = append(p.chain, master)
	}
	return p
}

// carries reports whether a master gets the address of its port. A master of net_failover or
// hv_netvsc has no kind, and the port's MAC.
func carries(port, master *link) bool {
	switch master.kind {
	case "bridge", "bond", "team":
		return true
	case "":
		return master.address() == port.address()
	}
	return false
}

// currentPlace returns where the address of an uplink belongs now. It is for any goroutine.
func currentPlace(n nic, u Uplink) (link, bool) {
	l, ok := find(n, u)
	if !ok {
		return link{}, false
	}
	p := placeOf(n, l)
	return *p.top(), true
}

// setPlace sets where the address belongs, and logs a master that it is not moved to.
func (k *uplinkState) setPlace(p place, log recovery.Logger) {
	was := k.place.upper.index
	k.place = p
	if p.upper.index == was || p.upper.index == 0 || !k.want().IsValid() {
		return
	}
	port, master := p.top().name, &p.upper
	switch master.kind {
	case "vrf":
		log.Infof("network: %s is in the VRF %s now: connections are bound to it", port, master.name)
	case "openvswitch":
		log.Warnf("network: %s is a port of an Open vSwitch now: %s is not moved: give it to the bridge's internal port", port, k.want())
	default:
		log.Warnf("network: %s is a port of %s (%s) now: %s is not moved: give %s an address that reaches the target",
			port, master.name, master.kind, k.want(), master.name)
	}
}

// misplaced returns the uplink's address on interfaces that are not its place: the ports below it,
// and its last place. At its first check an agent does not have that: a bridge without ports that
// alone has the address is then taken for the last place.
func (k *uplinkState) misplaced(a *snapshot) []ifaceAddr {
	top, first := k.place.top().index, k.lastPlace.index == 0 && !k.present(a)
	var out []ifaceAddr
	for _, o := range a.addresses(k.want().Addr().Is6()) {
		if o.Addr() == k.want().Addr() && o.index != top && (k.place.has(o.index) || o.index == k.lastPlace.index || first && a.withoutUplink(o.index)) {
			out = append(out, o)
		}
	}
	return out
}

// moveToPlace moves the address and the routes to its place immediately. If another program moves
// them back repeatedly, the next move is delayed for longer each time. done reports whether there
// was nothing to move.
func (k *uplinkState) moveToPlace(a *snapshot) (wait time.Duration, done bool) {
	if !k.want().IsValid() {
		return 0, true
	}
	strays := k.misplaced(a)
	if len(strays) == 0 {
		k.lastPlace = *k.place.top()
		return 0, true
	}
	from := strays[0]
	text := k.placeChange(a, from)
	switch {
	case !k.Keep:
		k.warnOnce(a, fmt.Sprintf("%s: %s is left on %s", text, k.want(), a.name(from.index)))
		return recovery.SurveyEvery, false
	case a.now < k.movesAt:
		return k.movesAt - a.now, false
	}
	if a.now-k.movesAt > backoffResetAfter {
		k.moves = 0
	}
	k.movesAt = a.now + k.backoff(k.moves)
	k.moves++
	top := k.place.top()
	did := "moved to " + top.name
	if k.present(a) {
		did = fmt.Sprintf("is on %s already, and was taken from %s", top.name, a.name(from.index))
	}
	if err := k.move(a, strays); err != nil {
		a.log.Errorf("network: %s: move %s to %s: %v", text, k.want(), top.name, err)
		return k.movesAt - a.now, false
	}
	a.log.Warnf("network: %s: %s %s", text, k.want(), did)
	k.lastPlace, k.lost, k.logged = *k.place.top(), -1, ""
	return minRestorePause, false
}

// placeChange returns in words why an address is not at its place.
func (k *uplinkState) placeChange(a *snapshot, from ifaceAddr) string {
	port := k.place.chain[0].name
	if k.place.has(from.index) {
		return fmt.Sprintf("%s is a port of %s now", port, k.place.top().name)
	}
	return fmt.Sprintf("%s is not a port of %s any more", port, a.name(from.index))
}

// move adds the address at its place first, so that it is never missing: the kernel removes routes
// and connections with an address.
func (k *uplinkState) move(a *snapshot, strays []ifaceAddr) error {
	top, v6 := k.place.top(), k.want().Addr().Is6()
	if !top.up {
		if err := a.nic.setUp(top.index); err != nil {
			return err
		}
	}
	if !k.present(a) {
		if err := a.nic.addAddress(top.index, strays[0].Prefix); err != nil {
			return err
		}
	}
	var errs []error // of routes: with the address on a port too the machine would be unreachable
	for _, from := range strays {
		if k.place.has(from.index) {
			errs = append(errs, a.nic.moveRoutes(from.index, top.index, v6))
		} else {
			errs = append(errs, k.addRoutes(a, func(netip.Prefix) bool { return true }))
		}
		if err := a.nic.removeAddress(from.index, from.Prefix); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(append(errs, k.addRoutes(a, k.noRouteTo(a)))...)
}

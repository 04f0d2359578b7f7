package uplink

import (
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// snapshot is one look at the machine's network: what the kernel says is asked for
// once. It is of Mend's goroutine.
type snapshot struct {
	nic      nic
	log      recovery.Logger
	now      time.Duration // on the keeper's clock
	boot     time.Duration // on that of leases
	sessions sessionUses
	boots    []netip.Addr    // the addresses that the boot gave
	lists    [2]*addressList // by family
	links    []link          // nil: not asked for
}

// addressList is the kernel's answer.
type addressList struct {
	list []ifaceAddr
	err  error
}

// addresses returns those of all interfaces.
func (a *snapshot) addresses(v6 bool) []ifaceAddr { return a.list(v6).list }

func (a *snapshot) list(v6 bool) *addressList {
	family := &a.lists[0]
	if v6 {
		family = &a.lists[1]
	}
	if *family == nil {
		list, err := a.nic.addresses(v6)
		*family = &addressList{list, err}
	}
	return *family
}

// readable tells whether it is known which addresses of a kind there are: what cannot
// be seen is not put back.
func (a *snapshot) readable(want netip.Prefix) bool {
	return !want.IsValid() || a.list(want.Addr().Is6()).err == nil
}

// name is an interface's.
func (a *snapshot) name(index int) string {
	l, _ := a.nic.link(index)
	return l.name
}

// loopbackIndex is lo's (include/net/net_namespace.h: LOOPBACK_IFINDEX).
const loopbackIndex = 1

// global tells whether an address is one that a target can be reached from.
func (o ifaceAddr) global() bool {
	return !o.Addr().IsLinkLocalUnicast() && !o.Addr().IsLoopback()
}

// chosen returns the addresses that others have given to the machine, and that
// may reach a target. usual tells of an interface that it may in any case.
func (a *snapshot) chosen(v6 bool, usual func(index int) bool) []netip.Prefix {
	var out []netip.Prefix
	for _, o := range a.addresses(v6) {
		if o.global() && o.index != loopbackIndex && !slices.Contains(a.boots, o.Addr()) &&
			(usual(o.index) || a.sessions.usesSource(o.Addr()) || a.external(o.index)) {
			out = append(out, o.Prefix)
		}
	}
	return out
}

// external tells whether an interface leads out of the machine: it has a carrier,
// and is no bridge that virtual machines or containers alone are ports of
// (docker0, virbr0). In doubt it does.
func (a *snapshot) external(index int) bool {
	return !a.linkByIndex(index).noCarrier && !a.withoutUplink(index)
}

// withoutUplink tells that an interface is a bridge, a bond or a team with no port that
// leads out of the machine.
func (a *snapshot) withoutUplink(index int) bool {
	switch a.linkByIndex(index).kind {
	case "bridge", "bond", "team":
		return !slices.ContainsFunc(a.links, func(port link) bool {
			return port.master == index && port.kind != "veth" && port.kind != "tuntap"
		})
	}
	return false
}

// linkByIndex returns an interface; the zero value: it is not known.
func (a *snapshot) linkByIndex(index int) link {
	if a.links == nil {
		a.links, _ = a.nic.links()
	}
	if i := slices.IndexFunc(a.links, func(l link) bool { return l.index == index }); i >= 0 {
		return a.links[i]
	}
	return link{}
}

// globalAddresses returns the global addresses of an interface.
func (a *snapshot) globalAddresses(index int, v6 bool) []netip.Prefix {
	var out []netip.Prefix
	for _, o := range a.addresses(v6) {
		if o.index == index && o.global() {
			out = append(out, o.Prefix)
		}
	}
	return out
}

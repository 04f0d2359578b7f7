package uplink

import (
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// snapshot is the machine's network at one check: each list is read from the kernel once. It
// belongs to Maintain's goroutine.
type snapshot struct {
	nic      nic
	log      recovery.Logger
	now      time.Duration // on the keeper's clock
	boot     time.Duration // on that of leases
	sessions sessionUses
	boots    []netip.Addr    // the addresses that the boot gave
	lists    [2]*addressList // by family
	links    []link          // nil: not read yet
}

// addressList is the kernel's list, or the error.
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

// readable reports whether the addresses of want's family can be read: otherwise nothing is
// restored.
func (a *snapshot) readable(want netip.Prefix) bool {
	return !want.IsValid() || a.list(want.Addr().Is6()).err == nil
}

// name returns the name of an interface.
func (a *snapshot) name(index int) string {
	l, _ := a.nic.link(index)
	return l.name
}

// loopbackIndex is lo's (include/net/net_namespace.h: LOOPBACK_IFINDEX).
const loopbackIndex = 1

// global reports whether a target can be reached from an address.
func (o ifaceAddr) global() bool {
	return !o.Addr().IsLinkLocalUnicast() && !o.Addr().IsLoopback()
}

// chosen returns the addresses that other programs have configured, and that may reach a target.
// usual reports whether those of an interface may in any case.
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

// external reports whether an interface leads out of the machine: it has a carrier, and is not a
// bridge whose ports are all those of virtual machines or containers (docker0, virbr0). In doubt it
// returns true.
func (a *snapshot) external(index int) bool {
	return !a.linkByIndex(index).noCarrier && !a.withoutUplink(index)
}

// withoutUplink reports whether an interface is a bridge, a bond or a team without a port that
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

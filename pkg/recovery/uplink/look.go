package uplink

import (
	"net/netip"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// look is one look at the machine's network: what the kernel says is asked for
// once. It is of Mend's goroutine.
type look struct {
	nic      nic
	log      recovery.Logger
	now      time.Duration // on the keeper's clock
	boot     time.Duration // on that of leases
	sessions uses
	boots    []netip.Addr // the addresses that the boot gave
	asked    [2]*answered // by family
	links    []link       // nil: not asked for
}

// answered is the kernel's answer.
type answered struct {
	list []owned
	err  error
}

// addresses returns those of all interfaces.
func (a *look) addresses(v6 bool) []owned { return a.ask(v6).list }

func (a *look) ask(v6 bool) *answered {
	family := &a.asked[0]
	if v6 {
		family = &a.asked[1]
	}
	if *family == nil {
		list, err := a.nic.addresses(v6)
		*family = &answered{list, err}
	}
	return *family
}

// sees tells whether it is known which addresses of a kind there are: what cannot
// be seen is not put back.
func (a *look) sees(want netip.Prefix) bool {
	return !want.IsValid() || a.ask(want.Addr().Is6()).err == nil
}

// name is an interface's.
func (a *look) name(index int) string {
	l, _ := a.nic.link(index)
	return l.name
}

// loopbackIndex is lo's (include/net/net_namespace.h: LOOPBACK_IFINDEX).
const loopbackIndex = 1

// global tells whether an address is one that a target can be reached from.
func (o owned) global() bool {
	return !o.Addr().IsLinkLocalUnicast() && !o.Addr().IsLoopback()
}

// chosen returns the addresses that others have given to the machine, and that
// may reach a target. usual tells of an interface that it may in any case.
func (a *look) chosen(v6 bool, usual func(index int) bool) []netip.Prefix {
	var out []netip.Prefix
	for _, o := range a.addresses(v6) {
		if o.global() && o.index != loopbackIndex && !slices.Contains(a.boots, o.Addr()) &&
			(usual(o.index) || a.sessions.use(o.Addr()) || a.outward(o.index)) {
			out = append(out, o.Prefix)
		}
	}
	return out
}

// outward tells whether an interface leads out of the machine: it has a carrier,
// and is no bridge that virtual machines or containers alone are ports of
// (docker0, virbr0). In doubt it does.
func (a *look) outward(index int) bool { return !a.at(index).silent && !a.deserted(index) }

// deserted tells that an interface is a bridge, a bond or a team with no port that
// leads out of the machine.
func (a *look) deserted(index int) bool {
	switch a.at(index).kind {
	case "bridge", "bond", "team":
		return !slices.ContainsFunc(a.links, func(port link) bool {
			return port.master == index && port.kind != "veth" && port.kind != "tuntap"
		})
	}
	return false
}

// at returns an interface; the zero value: it is not known.
func (a *look) at(index int) link {
	if a.links == nil {
		a.links, _ = a.nic.links()
	}
	if i := slices.IndexFunc(a.links, func(l link) bool { return l.index == index }); i >= 0 {
		return a.links[i]
	}
	return link{}
}

// of returns the global addresses of an interface.
func (a *look) of(index int, v6 bool) []netip.Prefix {
	var out []netip.Prefix
	for _, o := range a.addresses(v6) {
		if o.index == index && o.global() {
			out = append(out, o.Prefix)
		}
	}
	return out
}

package uplink

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Uplink is an address by which the boot reached its targets. The agent keeps
// it where no other program does.
type Uplink struct {
	Index    int    // the kernel's number of the interface, which a new name does not change
	MAC      string // as the boot saw it
	Identity        // zero until the agent has looked
	Keep     bool   // put back what the system takes away
	// Temporary: the address was put back beside others, since no target answered
	// them, and is to be taken away again.
	Temporary bool
	Lease     dhcp.Lease
}

// Identity tells an interface from others with its MAC: those that are made on a
// NIC have the NIC's.
type Identity struct {
	Known     bool
	Permanent string // the NIC's own MAC; "": the driver has none
	Kind      string // rtnetlink's IFLA_INFO_KIND, of what the boot made; "": a NIC
	VLAN      int    // id
	Parent    string // of a VLAN: the permanent MAC of what it is on
}

// link is an interface as it is now.
type link struct {
	index     int
	name      string
	up        bool // administratively
	noCarrier bool // it has no carrier
	kind      string
	mac       string // as it is now
	permanent string // "": it has none
	parent    int    // what it is made on (IFLA_LINK); 0: nothing
	master    int    // what it is a port of (IFLA_MASTER); 0: nothing
	vlan      int
	table     int // of a VRF: its routing table
}

// address is the MAC that names it.
func (l *link) address() string { return cmp.Or(l.permanent, l.mac) }

// ifaceAddr is an address of an interface.
type ifaceAddr struct {
	netip.Prefix
	left  time.Duration // of its lifetime; dhcp.Infinite: it has no end, as the boot gives it
	index int           // of the interface
}

// nic is what the keeper asks of the kernel. A table is a routing table; 0: the
// main one.
type nic interface {
	link(index int) (link, bool)
	links() ([]link, error)
	// addresses returns those of all interfaces.
	addresses(v6 bool) ([]ifaceAddr, error)
	setUp(index int) error
	addAddress(index int, p netip.Prefix) error
	removeAddress(index int, p netip.Prefix) error
	// hasRoute tells whether there is any route to that network.
	hasRoute(to netip.Prefix, table int) bool
	addRoute(index int, r dhcp.Route, table int) error
	removeRoute(index int, r dhcp.Route, table int) error
	// moveRoutes moves the routes by one interface to another, but for those that
	// the kernel makes for an address.
	moveRoutes(from, to int, v6 bool) error
	// reprobeNeighbours asks at once for the neighbours that have not answered so far.
	reprobeNeighbours(index int) error
	// dhcpClient tells whether a process looks after an IPv4 address by DHCP.
	dhcpClient(index int, addr netip.Addr) bool
}

// want is the address; not valid: the interface has none of ours.
func (u Uplink) want() netip.Prefix { return u.Lease.Address }

// find returns the interface of an uplink: by number, or if that is another's
// now, as after a driver was loaded anew, by what it is. Of two with one MAC, as
// those of net_failover and hv_netvsc, it is the master.
func find(n nic, u Uplink) (link, bool) {
	if l, ok := n.link(u.Index); ok && u.isSame(&l) {
		return l, true
	}
	all, err := n.links()
	if err != nil {
		return link{}, false
	}
	found := link{}
	for _, l := range all {
		if u.matches(n, &l) && (found.index == 0 || found.master == l.index) {
			found = l
		}
	}
	return found, found.index != 0
}

// isSame tells whether an interface with the uplink's number is the uplink's. A
// number comes again only where a namespace is made anew. What it is made on is
// not asked: a bond under a VLAN takes another MAC when its ports change, and a
// NIC that is a port of a switch chip (DSA) has a parent.
func (u *Uplink) isSame(l *link) bool {
	switch {
	case !u.Known:
		return l.mac == u.MAC
	case l.kind != u.Kind:
		return false
	case l.kind == "":
		return l.permanent == u.Permanent
	}
	return l.vlan == u.VLAN
}

// matches tells whether an interface with another number is the uplink's. What is
// made on a NIC is not that NIC, although it has its MAC.
func (u *Uplink) matches(n nic, l *link) bool {
	switch {
	case l.kind != u.Kind:
		return false
	case l.kind == "":
		return l.parent == 0 && l.address() == cmp.Or(u.Permanent, u.MAC)
	case l.kind == "vlan":
		on, ok := n.link(l.parent)
		return ok && l.vlan == u.VLAN && on.address() == u.Parent
	}
	return l.mac == u.MAC || l.name == u.Lease.Interface
}

// identify notes what the interface of an uplink is, when it is first seen.
func (u *Uplink) identify(n nic, l *link) {
	if u.Known {
		return
	}
	u.Identity = Identity{Known: true, Permanent: l.permanent, Kind: l.kind, VLAN: l.vlan}
	if l.kind != "vlan" {
		return
	}
	if on, ok := n.link(l.parent); ok {
		u.Parent = on.address()
	}
}

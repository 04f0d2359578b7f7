package uplink

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Uplink is an address by which the boot reached its targets. The agent restores it unless another
// program does.
type Uplink struct {
	Index    int    // the kernel's number of the interface, which stays the same when the interface is renamed
	MAC      string // during the boot
	Identity        // zero until the agent's first check
	Keep     bool   // restore what the system removes
	// Temporary: the address was restored beside others, since no target answered them, and is
	// to be removed again.
	Temporary bool
	Lease     dhcp.Lease
}

// Identity distinguishes an interface from others with the same MAC: upper devices of a NIC have
// the NIC's.
type Identity struct {
	Known     bool
	Permanent string // the NIC's own MAC; "": the driver has none
	Kind      string // rtnetlink's IFLA_INFO_KIND, of a device that the boot made; "": a NIC
	VLAN      int    // id
	Parent    string // of a VLAN: the permanent MAC of its lower device
}

// link is the present state of an interface.
type link struct {
	index     int
	name      string
	up        bool // administratively
	noCarrier bool // it has no carrier
	kind      string
	mac       string // as it is now
	permanent string // "": it has none
	parent    int    // its lower device (IFLA_LINK); 0: none
	master    int    // what it is a port of (IFLA_MASTER); 0: nothing
	vlan      int
	table     int // of a VRF: its routing table
}

// address is the MAC that identifies it.
func (l *link) address() string { return cmp.Or(l.permanent, l.mac) }

// ifaceAddr is an address of an interface.
type ifaceAddr struct {
	netip.Prefix
	left  time.Duration // of its lifetime; dhcp.Infinite: it has no end, as the boot gives it
	index int           // of the interface
}

// nic is the part of the kernel's network that the keeper uses. A table is a routing table; 0: the
// main one.
type nic interface {
	link(index int) (link, bool)
	links() ([]link, error)
	// addresses returns those of all interfaces.
	addresses(v6 bool) ([]ifaceAddr, error)
	setUp(index int) error
	addAddress(index int, p netip.Prefix) error
	removeAddress(index int, p netip.Prefix) error
	// hasRoute reports whether there is any route to that network.
	hasRoute(to netip.Prefix, table int) bool
	addRoute(index int, r dhcp.Route, table int) error
	removeRoute(index int, r dhcp.Route, table int) error
	// moveRoutes moves the routes by one interface to another, but for those that the kernel
	// makes for an address.
	moveRoutes(from, to int, v6 bool) error
	// reprobeNeighbours immediately solicits the neighbours that have not answered so far.
	reprobeNeighbours(index int) error
	// dhcpClient reports whether a process renews an IPv4 address by DHCP.
	dhcpClient(index int, addr netip.Addr) bool
}

// want is the address; not valid: the boot gave the interface none.
func (u Uplink) want() netip.Prefix { return u.Lease.Address }

// find returns the interface of an uplink: by number, or if that belongs to another one now, as
// after a driver was reloaded, by its identity. Of two with one MAC, as those of net_failover and
// hv_netvsc, it is the master.
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

// isSame reports whether an interface with the uplink's number is the uplink's. A number is reused
// only in a new namespace. Its lower device is not compared: a bond under a VLAN takes another MAC
// when its ports change, and a NIC that is a port of a switch chip (DSA) has a parent.
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

// matches reports whether an interface with another number is the uplink's. An upper device of a
// NIC is not that NIC, although it has its MAC.
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

// identify records the identity of the uplink's interface at the first check.
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

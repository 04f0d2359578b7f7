package bootspec

import (
	"net/netip"
	"time"
)

// Net is the network to bring up: the first five values are of the NIC of the boot, and Lines has
// those of all NICs.
type Net struct {
	Interface Value[string]       // kernel's name of the NIC
	MAC       Value[string]       // of the NIC, as 52:54:00:12:34:56; neither given: the first with carrier
	Address   Value[netip.Prefix] // this machine's address with its network's length
	Gateway   Value[netip.Addr]   // default route's next hop
	// Nameservers are for the names of portals.
	Nameservers []Value[netip.Addr]

	HostName   Value[string]
	ClientID   Value[string]     // DHCP's, as in IP
	IP         []Value[IP]       // the lines of ip=, in their order
	Names      []Value[NICName]  // ifname=
	KeepNames  Value[bool]       // net.ifnames=0; not given: NICs get the names that udev would give them
	BootMTU    Value[int]        // of the boot's device, in bytes, in addition to those in IP
	Routes     []Value[NetRoute] // rd.route=, in addition to the default route
	VLANs      []Value[VLAN]
	Groups     []Value[Group]   // bond= and bridge=
	BootDevice Value[string]    // bootdev=: name, or MAC
	Need       Value[bool]      // rd.neednet: bring it up even if no target needs it
	PeerDNS    Value[bool]      // not given: true, the network's name servers are used
	Timeouts   []Value[Timeout] // rd.net.timeout.*
}

// Method is a way for a NIC to get an address.
type Method string

// The methods of ip=, under one name each.
const (
	Static    Method = "static"
	DHCP      Method = "dhcp"       // DHCPv4; dhcp, on, any, auto, both, bootp, single-dhcp
	DHCP6     Method = "dhcp6"      // DHCPv6
	Auto6     Method = "auto6"      // router advertisements
	Either6   Method = "either6"    // router advertisements, and DHCPv6 if their managed flag is set
	LinkLocal Method = "link-local" // link6
	Firmware  Method = "ibft"       // as in the iBFT; ibft, fw
	Off       Method = "off"        // nothing is done
)

// IP is one ip=.
type IP struct {
	// Methods are tried in their order until one succeeds; at least one.
	Methods []Method
	// Device or MAC names the NIC; neither: any. With both the MAC selects the NIC, and Device
	// is the line's name for it.
	Device, MAC string
	Address     netip.Prefix // Static
	Peer        netip.Prefix // the other end of a point-to-point link
	Gateway     netip.Addr
	HostName    string
	MTU         int    // 0: the driver's
	SetMAC      string // the MAC to set
	DNS         []netip.Addr
	NTP         string
	// ClientID is DHCP's option 61: the kernel's TYPE,TEXT, its bytes in hex with colons, or
	// mac; see ParseClientID and DHCPClientID.
	ClientID string

	// Guessed: no mask is given, and that of the address's class is used.
	Guessed bool
	// PeerGuessed: Peer has no length and may be a boot server. With a gateway there is none.
	PeerGuessed bool
}

// NICName is the name for the NIC of a MAC.
type NICName struct{ Name, MAC string }

// NetRoute is a static route.
type NetRoute struct {
	To     netip.Prefix
	Via    netip.Addr // not valid: on the link
	Device string     // name, or MAC; empty: by the address of Via
}

// VLAN is a tagged interface on another one.
type VLAN struct {
	Name, Parent string // Parent is a name or a MAC
	ID           uint16 // 1 to 4094
}

// Group is a device with members: a bond or a bridge.
type Group struct {
	Kind    string // "bond", "bridge"
	Name    string
	Members []string // names or MACs
	Options string   // of a bond, with commas
	MTU     int      // 0: the driver's
}

// Timeout is one of dracut's time limits for the network.
type Timeout struct {
	Name  string // without rd.net.timeout.
	Limit time.Duration
}

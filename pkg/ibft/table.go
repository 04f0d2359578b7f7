package ibft

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Table is the content of an iBFT. It has only structures that are marked valid.
type Table struct {
	// OEM and Model name the firmware ("FENSYS", "iPXE"); at most 6 and 8 printable bytes.
	OEM, Model string
	// Failover is control flag bit 0: the second target stands in for the first, instead of
	// being one more.
	Failover  bool
	Initiator Initiator // its zero value: none
	NICs      []NIC     // in the order of the control structure
	Targets   []Target  // likewise
}

// Flags are the last byte of a structure's header.
type Flags uint8

// The flags that all structures share, and those of one kind.
const (
	Valid        Flags = 1 << 0
	BootSelected Flags = 1 << 1 // the firmware booted by this one
	GlobalLink   Flags = 1 << 2 // NIC: the address is global, not link-local
	RADIUS       Flags = 1 << 2 // target: CHAP by RADIUS
	ReverseRAD   Flags = 1 << 3 // target: reverse CHAP by RADIUS
)

// Booted reports whether the firmware booted by this structure.
func (f Flags) Booted() bool { return f&(Valid|BootSelected) == Valid|BootSelected }

// Initiator is the machine's side of the session.
type Initiator struct {
	Flags Flags
	Index uint8
	Name  string // iSCSI name, at most 223 bytes
	// Servers; the zero Addr where none is named.
	ISNS, SLP, RADIUS, RADIUS2 netip.Addr
}

// NIC is an interface as the firmware configured it.
type NIC struct {
	Flags   Flags
	Index   uint8      // a target's NIC refers to it
	Address netip.Addr // IPv4-mapped addresses are IPv4; zero: none
	// PrefixLen is that of the network, 0 where the firmware does not give it.
	PrefixLen                int
	Origin                   Origin
	Gateway, DNS, DNS2, DHCP netip.Addr // zero: none
	VLAN                     uint16     // 0: untagged, else 1 to 4094
	MAC                      [6]byte
	PCI                      PCIAddress
	HostName                 string // at most 255 bytes
}

// Prefix returns address and network. An IPv6 address without a length is a network of its own, as
// dracut has it; without one IPv4 has no network, and ok is false.
func (n NIC) Prefix() (p netip.Prefix, ok bool) {
	switch {
	case !n.Address.IsValid():
		return p, false
	case n.PrefixLen == 0 && n.Address.Is6():
		return netip.PrefixFrom(n.Address, 128), true
	}
	return netip.PrefixFrom(n.Address, n.PrefixLen), n.PrefixLen > 0
}

// ByDHCP reports whether the firmware got the address from a DHCP server: it names the server, or
// the origin is DHCP.
func (n NIC) ByDHCP() bool { return n.DHCP.IsValid() || n.Origin == OriginDHCP }

// HardwareAddr returns the MAC in the kernel's form, 52:54:00:12:34:56.
func (n NIC) HardwareAddr() string {
	m := n.MAC
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// Origin is the source of an address (Windows' NL_PREFIX_ORIGIN, which the specification refers
// to).
type Origin uint8

// The known origins.
const (
	OriginOther     Origin = 0
	OriginManual    Origin = 1
	OriginWellKnown Origin = 2
	OriginDHCP      Origin = 3
	OriginRouter    Origin = 4
)

// PCIAddress is bus << 8 | device << 3 | function.
type PCIAddress uint16

// String returns the name in sysfs without its domain: 00:03.0.
func (p PCIAddress) String() string {
	return fmt.Sprintf("%02x:%02x.%x", uint16(p)>>8, uint16(p)>>3&0x1f, uint16(p)&7)
}

// Target is a target in the table.
type Target struct {
	Flags  Flags
	Index  uint8
	Portal netip.AddrPort
	LUN    iscsi.LUN
	Name   string // iSCSI name, at most 223 bytes
	NIC    uint8  // Index of the NIC it is reached by
	CHAP   CHAPType
	// User and Secret authenticate this machine, the reverse ones the target; empty depending
	// on CHAP.
	User          string
	Secret        iscsi.Secret
	ReverseUser   string
	ReverseSecret iscsi.Secret
}

// CHAPType is which sides have to authenticate themselves.
type CHAPType uint8

// The types of authentication.
const (
	NoCHAP     CHAPType = 0
	OneWayCHAP CHAPType = 1
	MutualCHAP CHAPType = 2
)

// String names the type.
func (c CHAPType) String() string {
	names := [...]string{"no CHAP", "CHAP", "mutual CHAP"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("CHAP type %d", uint8(c))
}

// Error is a defect of a table, with its place.
type Error struct {
	Offset int    // byte of the table; -1: a file of sysfs
	Object string // "control", "target 1", "ethernet0/mac"
	Cause  string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("read iBFT: %s: %s", e.Object, e.Cause)
	}
	return fmt.Sprintf("read iBFT: %s at byte %d: %s", e.Object, e.Offset, e.Cause)
}

// Oddities are the structures and fields of a table that are left out, an *Error for each: the rest
// of the table is sound.
type Oddities []error

// Error implements error, a line for each.
func (o Oddities) Error() string { return errors.Join(o...).Error() }

// Unwrap returns them one by one.
func (o Oddities) Unwrap() []error { return o }

func (o Oddities) orNil() error {
	if len(o) == 0 {
		return nil
	}
	return o
}

// Usable divides the error of Parse, FromSysfs or Find: odd names what is left out of a table that
// is used, and err is why there is none.
func Usable(from error) (odd []string, err error) {
	var list Oddities
	if !errors.As(from, &list) {
		return nil, from
	}
	for _, one := range list {
		odd = append(odd, one.Error())
	}
	return odd, nil
}

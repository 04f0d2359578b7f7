package dhcp

import (
	"encoding/hex"
	"slices"
	"strings"
)

// ClientID returns the client identifier of an interface (RFC 4361 section 6.1): type 255, an IAID,
// and a DUID of the link-layer address (RFC 8415 section 11.4). It is made of the MAC alone, so
// that every stage of the boot and every boot has the same.
func ClientID(mac []byte) []byte {
	id := IAID(mac)
	return append([]byte{255, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}, DUID(mac)...)
}

// HardwareID returns the client identifier that is the hardware address (RFC 2132 section 9.14):
// type 1 for Ethernet, the MAC. iPXE and Windows send it.
func HardwareID(mac []byte) []byte { return slices.Concat([]byte{1}, mac) }

// IsHardwareID reports whether a client identifier is one of HardwareID's.
func IsHardwareID(id []byte) bool { return len(id) == 7 && id[0] == 1 }

// Colons returns an identifier in the form of iscsi_dhcp_id= and NetworkManager.
func Colons(id []byte) string {
	var out []string
	for _, c := range id {
		out = append(out, hex.EncodeToString([]byte{c}))
	}
	return strings.Join(out, ":")
}

// DUID returns a DUID-LL: type 3, hardware type 1 for Ethernet, the MAC.
func DUID(mac []byte) []byte { return slices.Concat([]byte{0, 3, 0, 1}, mac) }

// IAID returns the last four bytes of the MAC, which differ between the machine's interfaces.
func IAID(mac []byte) uint32 {
	var id uint32
	for _, c := range mac[max(0, len(mac)-4):] {
		id = id<<8 | uint32(c)
	}
	return id
}

// Package dhcp4 gets an IPv4 address from a DHCP server (RFC 2131) and keeps it. [Acquire] requests
// one on a link that has none, [Renew] and [Rebind] extend it. No lease is released (DHCPRELEASE,
// RFC 2131 section 4.4.6): root's session needs the address until the last write, and the machine
// requests the same one at its next boot. It configures nothing: what comes out is a [dhcp.Lease].
//
// Messages are coded by insomniacslk/dhcp. The exchange is implemented here, because machines that
// boot together must not send their requests at the same time, and because nothing here may wait
// for entropy.
package dhcp4

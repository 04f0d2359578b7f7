// Package dhcp holds what the clients of DHCPv4 and DHCPv6 have in common: the [Lease] that they
// return as a value, how it is written for the real system, and the waiting between
// retransmissions.
//
// It is pure: the clients, in dhcp4 and dhcp6, have the sockets and the clock.
package dhcp

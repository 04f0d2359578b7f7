// Package uplink keeps the network by which the boot reached its targets: links, addresses and
// routes (Keeper), and leases of IPv4 (Renewer), for as long as no other program of the running
// system does. Leases of IPv6 are the system's to renew. An address follows its interface into a
// bridge or a bond, and gives way to addresses that the administrator has chosen, as long as they
// reach a target.
package uplink

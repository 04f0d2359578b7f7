// Package network brings up what a plan's lines say, each on the NIC that it
// names or on the first that gets an address, by rtnetlink, DHCP and the
// kernel's own IPv6.
//
// All NICs that a line may mean are tried at once. It waits for events of links
// and never polls; what it waits for it tells. It does not load drivers. What
// is up stays up when it stops, for the real system to take over; links that
// nothing came of are set down again.
package network

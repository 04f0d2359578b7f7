// Package network brings up what a plan's lines say, each on the NIC that it
// names, by rtnetlink, DHCP and the kernel's own IPv6.
//
// Of a line that names no NIC, all NICs are tried at once:
//   - Each that gets an answer of a server or a router is up until the hand-over.
//     The boot goes on with the first lease that leads to a target, or has a
//     gateway; the others join in the background.
//   - Where DHCP is to name the target, an answer that does is waited for, on the
//     NICs that have a link; its lease comes first.
//   - A static address goes to the only NIC with a link at once. If there are
//     more, the kernel asks for the targets in its network, or else the gateway,
//     on each, and the address goes to the NIC on which one answers. It moves
//     there from one on which none does.
//   - A target is asked over the NIC that the kernel's routes say, its own network's
//     first, and then over the others that lead there. The one that it was reached
//     by gets a route to it.
//   - In the end the default route and the name servers are those of the NIC of
//     root's session. NICs that no session goes by are left as they were found,
//     unless a line names them: they keep their address, without a mark of ours.
//
// It waits for events of the kernel and never polls; what it waits for it tells.
// It does not load drivers. What is up stays up when it stops, for the real system
// to take over; links that nothing came of are set down again.
package network

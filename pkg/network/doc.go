// Package network brings up the network configurations (lines) of a plan, each on the NIC that it
// names, by rtnetlink, DHCP and the kernel's own IPv6.
//
// A line that names no NIC is started on all NICs in parallel:
//   - Each NIC that receives a lease or a router advertisement stays up until the hand-over. The
//     boot continues with the first lease that leads to a target or has a gateway; the other NICs
//     are added in the background.
//   - If DHCP is to supply the target, an answer that contains a root path is waited for on the
//     NICs with a carrier; its lease comes first.
//   - A static address is assigned immediately to the only NIC with a carrier. If several NICs have
//     one, the kernel solicits the targets in the address's network, or else the gateway, on each,
//     and the address is assigned to the NIC on which one answers. It moves there from a NIC on
//     which none answers.
//   - A target is contacted over the NIC that the kernel's routes select, then over the others that
//     lead there. The NIC that reached it gets a route to it.
//   - At the hand-over the default route and the name servers are those of the NIC of root's
//     session. NICs that carry no session are left as they were found, unless a line names them:
//     those keep their address.
//
// It waits for events of the kernel and never polls, and reports what it waits for. It does not
// load drivers. What is up stays up when it stops, for the real system to take over; links that got
// no address are set down again.
package network

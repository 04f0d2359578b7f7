// Package network brings up the NIC that the plan names, or the first one with
// a link, and gives it its address and route, by rtnetlink alone.
//
// It waits for events of links and never polls. It does not load drivers, and
// it does not undo what it did: the real system keeps the network it finds.
package network

// Package rtwatch receives what the kernel multicasts by rtnetlink (rtnetlink(7)) of links,
// addresses and neighbours. It replaces netlink.LinkSubscribe and similar functions, whose
// goroutines block in a send without end when the reader stops, and whose panics cannot be
// contained. One socket and one goroutine serve all groups, so that updates keep the kernel's
// order.
package rtwatch

package dhcp4

import (
	"math/rand/v2"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// identity is one client identifier and the transaction in which servers are
// asked with it. An answer is known by the transaction: not every server sends
// option 61 back, which RFC 6842 asks for since 2013.
type identity struct {
	clientID []byte
	xid      dhcpv4.TransactionID
}

// triesAlone is how many discovers without an answer have the first identifier,
// before another one is asked with in turn. A server that knows either is served,
// whenever it comes up, and one that answers sees no other identifier.
const triesAlone = 2

// identities are those that the configuration asks for. Where it names none, a
// server may know the machine by its hardware address alone, as the firmware
// before us may have told it.
func identities(cfg Config) []identity {
	if cfg.ClientID != nil {
		return []identity{{clientID: cfg.ClientID}}
	}
	return []identity{{clientID: dhcp.ClientID(cfg.MAC)}, {clientID: dhcp.HardwareID(cfg.MAC)}}
}

// newTransactions takes new numbers. They need not be secret, only ours, and
// each its own.
func (x *exchange) newTransactions() {
	n := rand.Uint32()
	for i := range x.ids {
		n++
		x.ids[i].xid = dhcpv4.TransactionID{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	}
}

// turn chooses the identity of the n-th discover, counted from 0.
func (x *exchange) turn(n int) {
	x.now = x.first
	if n >= triesAlone {
		x.now = (x.first + n - triesAlone + 1) % len(x.ids)
	}
}

// settle goes on with the identity that an offer is for. After a refusal too the
// next discover has it.
func (x *exchange) settle(offer dhcp.Lease) {
	if i := slices.IndexFunc(x.ids, func(id identity) bool { return string(id.clientID) == string(offer.ClientID) }); i >= 0 {
		x.first, x.now = i, i
	}
}

// with says which identifier the next message has, if it is another than the one
// to begin with.
func (x *exchange) with() string {
	if x.now == 0 {
		return ""
	}
	return ", client identifier " + dhcp.Colons(x.ids[x.now].clientID)
}

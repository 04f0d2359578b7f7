package dhcp4

import (
	"math/rand/v2"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// identity is a client identifier and the transaction in which it is sent. An answer is identified
// by the transaction: not every server sends option 61 back, as RFC 6842 requires since 2013.
type identity struct {
	clientID []byte
	xid      dhcpv4.TransactionID
}

// triesAlone is how many discovers without an answer contain the first identifier before another
// one alternates with it. A server that has either configured answers, whenever it comes up, and
// one that answers receives no other identifier.
const triesAlone = 2

// identities returns those of the configuration. If it has none, a server may have the machine
// configured by its hardware address only, as the firmware may have sent it.
func identities(cfg Config) []identity {
	if cfg.ClientID != nil {
		return []identity{{clientID: cfg.ClientID}}
	}
	return []identity{{clientID: dhcp.ClientID(cfg.MAC)}, {clientID: dhcp.HardwareID(cfg.MAC)}}
}

// newTransactions chooses new transaction numbers. They need not be secret, only distinct.
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

// settle continues with the identity that an offer is for. After a refusal the next discover
// contains it too.
func (x *exchange) settle(offer dhcp.Lease) {
	if i := slices.IndexFunc(x.ids, func(id identity) bool { return string(id.clientID) == string(offer.ClientID) }); i >= 0 {
		x.first, x.now = i, i
	}
}

// with describes the identifier of the next message, if it is not the first one.
func (x *exchange) with() string {
	if x.now == 0 {
		return ""
	}
	return ", client identifier " + dhcp.Colons(x.ids[x.now].clientID)
}

// Package dns resolves host names at the name servers of the network as it is at each look-up.
package dns

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// dnsPort is where name servers listen (RFC 1035 section 4.2).
const dnsPort = 53

// nameServerTimeout is the time-out of one server.
const nameServerTimeout = 2 * time.Second

// Resolver returns a resolver that uses the image's /etc/hosts and the name servers that servers
// returns; without any, those of the image's /etc/resolv.conf.
func Resolver(servers func() []netip.Addr) *net.Resolver {
	robin := &roundRobin{servers: servers}
	return &net.Resolver{PreferGo: true, Dial: robin.dial}
}

// roundRobin queries the servers in rotation: package net has other ones, or none, and queries each
// of its own several times.
type roundRobin struct {
	servers func() []netip.Addr
	queries atomic.Uint32
}

func (t *roundRobin) dial(ctx context.Context, proto, configured string) (net.Conn, error) {
	n := int(t.queries.Add(1)-1) / 2 // A and AAAA are queried in parallel
	var d net.Dialer
	servers := t.servers()
	if len(servers) == 0 {
		return d.DialContext(ctx, proto, configured)
	}
	conn, err := d.DialContext(ctx, proto, netip.AddrPortFrom(servers[n%len(servers)], dnsPort).String())
	if udp, ok := conn.(*net.UDPConn); ok && err == nil {
		return &shortDeadlineConn{udp}, nil
	}
	return conn, err
}

// shortDeadlineConn is a connection with shortened deadlines. It is a net.PacketConn, by which
// package net recognises a datagram socket.
type shortDeadlineConn struct{ *net.UDPConn }

// SetDeadline implements net.Conn.
func (h *shortDeadlineConn) SetDeadline(t time.Time) error {
	if near := time.Now().Add(nameServerTimeout); t.After(near) {
		t = near
	}
	return h.UDPConn.SetDeadline(t)
}

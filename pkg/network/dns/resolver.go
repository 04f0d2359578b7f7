// Package dns looks host names up at the name servers that the network has by then.
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

// nameServerPatience is how long one server has for its answer.
const nameServerPatience = 2 * time.Second

// Resolver looks names up in the image's /etc/hosts and at the servers that there
// are by then. Without any it is at those of the image's /etc/resolv.conf.
func Resolver(servers func() []netip.Addr) *net.Resolver {
	turns := &turns{servers: servers}
	return &net.Resolver{PreferGo: true, Dial: turns.dial}
}

// turns asks the servers in turn: package net knows others, or none, and tries
// each of its own several times.
type turns struct {
	servers func() []netip.Addr
	asked   atomic.Uint32
}

func (t *turns) dial(ctx context.Context, proto, configured string) (net.Conn, error) {
	n := int(t.asked.Add(1)-1) / 2 // A and AAAA are asked side by side
	var d net.Dialer
	servers := t.servers()
	if len(servers) == 0 {
		return d.DialContext(ctx, proto, configured)
	}
	conn, err := d.DialContext(ctx, proto, netip.AddrPortFrom(servers[n%len(servers)], dnsPort).String())
	if udp, ok := conn.(*net.UDPConn); ok && err == nil {
		return &hasty{udp}, nil
	}
	return conn, err
}

// hasty is a connection whose deadlines are near. It is a net.PacketConn, by
// which package net knows what it can send.
type hasty struct{ *net.UDPConn }

// SetDeadline implements net.Conn.
func (h *hasty) SetDeadline(t time.Time) error {
	if near := time.Now().Add(nameServerPatience); t.After(near) {
		t = near
	}
	return h.UDPConn.SetDeadline(t)
}

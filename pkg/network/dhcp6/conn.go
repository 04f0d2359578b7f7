package dhcp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ports and the address of all servers and relays (RFC 8415 sections 7.1, 7.2).
const (
	clientPort = 546
	serverPort = 547
	allServers = "ff02::1:2"
)

// udpConn is a socket on one link.
type udpConn struct {
	*net.UDPConn
	to netip.AddrPort
}

// Open opens an interface, for Acquire and the others. Sending requires a link-local address: see
// WaitAddress.
func Open(name string) (Conn, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("DHCPv6 on %s: %w", name, err)
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, i.Index),
				unix.BindToDevice(int(fd), name))
		})
		return errors.Join(cerr, err)
	}}
	c, err := lc.ListenPacket(context.Background(), "udp6", netip.AddrPortFrom(netip.IPv6Unspecified(), clientPort).String())
	if err != nil {
		return nil, fmt.Errorf("DHCPv6 on %s: %w", name, err)
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return nil, fmt.Errorf("DHCPv6 on %s: no UDP socket", name)
	}
	zone := strconv.Itoa(i.Index)
	return udpConn{udp, netip.AddrPortFrom(netip.MustParseAddr(allServers).WithZone(zone), serverPort)}, nil
}

// Send implements Conn.
func (c udpConn) Send(message []byte) error {
	_, err := c.WriteToUDPAddrPort(message, c.to)
	return err
}

// Receive implements Conn.
func (c udpConn) Receive(deadline time.Time) ([]byte, netip.Addr, error) {
	if err := c.SetReadDeadline(deadline); err != nil {
		return nil, netip.Addr{}, err
	}
	buf := make([]byte, 9216)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	return buf[:n], from.Addr().WithZone(""), err
}

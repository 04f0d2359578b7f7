package dhcp4

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Renew requests the server of a lease to extend it, until ctx ends; it is due from l.Obtained +
// l.Renew on. The interface has the address. The error is ErrRefused if the address must not be
// used any more, else a *dhcp.NoLeaseError.
func Renew(ctx context.Context, cfg Config, l dhcp.Lease) (dhcp.Lease, error) {
	conn, err := openUDP(cfg.Interface, l.Server)
	if err != nil {
		return dhcp.Lease{}, err
	}
	return extend(ctx, conn, cfg, l, l.Server)
}

// Rebind requests any server to extend a lease, as Renew does; it is due from l.Obtained + l.Rebind
// on.
func Rebind(ctx context.Context, cfg Config, l dhcp.Lease) (dhcp.Lease, error) {
	conn, err := openUDP(cfg.Interface, netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	if err != nil {
		return dhcp.Lease{}, err
	}
	return extend(ctx, conn, cfg, l, netip.Addr{})
}

// udpConn is a socket for an interface that has its address.
type udpConn struct {
	*net.UDPConn
	to netip.AddrPort
}

func openUDP(name string, to netip.Addr) (Conn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.BindToDevice(int(fd), name))
		})
		return errors.Join(cerr, err)
	}}
	// Not bound to the interface's address: a DHCPNAK is broadcast.
	c, err := lc.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort).String())
	if err != nil {
		return nil, fmt.Errorf("DHCP on %s: %w", name, err)
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return nil, fmt.Errorf("DHCP on %s: no UDP socket", name)
	}
	return udpConn{udp, netip.AddrPortFrom(to, serverPort)}, nil
}

// Send implements Conn.
func (c udpConn) Send(message []byte) error {
	_, err := c.WriteToUDPAddrPort(message, c.to)
	return err
}

// Receive implements Conn. A closed port of the server causes an error on the socket; it may be
// open later.
func (c udpConn) Receive(deadline time.Time) ([]byte, error) {
	if err := c.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	buf := make([]byte, 9216)
	for {
		n, _, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, unix.ECONNREFUSED) {
			continue
		}
		return buf[:n], err
	}
}

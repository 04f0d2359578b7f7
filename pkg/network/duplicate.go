package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// duplicateLimit is how long answers to an ARP probe for an IPv4 address are waited for. The boot
// continues meanwhile: RFC 5227 requires a wait of seven seconds.
const duplicateLimit = 3 * time.Second

// An ARP packet for Ethernet and IPv4 (RFC 826, include/uapi/linux/if_arp.h):
//
//	struct arphdr { __be16 ar_hrd, ar_pro; unsigned char ar_hln, ar_pln;
//	  __be16 ar_op; unsigned char ar_sha[6], ar_sip[4], ar_tha[6], ar_tip[4]; };
const (
	arpLen    = 28
	arpSender = 8
	arpTarget = 24

	arpRequest = 1 // ARPOP_REQUEST
)

// arpHead is what all such packets begin with, before the operation.
var arpHead = [6]byte{0, unix.ARPHRD_ETHER, unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff, 6, 4}

// arpProbe returns a request for the owner of an address. Its sender address is 0, so that no ARP
// cache changes by it (RFC 5227 section 2.1.1).
func arpProbe(mac net.HardwareAddr, addr netip.Addr) []byte {
	b := append(make([]byte, 0, arpLen), arpHead[:]...)
	b = append(b, 0, arpRequest)
	b = append(b, mac...)
	b = append(b, make([]byte, arpTarget-len(b))...)
	return append(b, addr.AsSlice()...)
}

// arpOwner returns the MAC of a packet's sender, and whether the sender has an address.
func arpOwner(b []byte, addr netip.Addr) (mac net.HardwareAddr, ok bool) {
	if len(b) < arpLen || [6]byte(b) != arpHead {
		return nil, false
	}
	sender := b[arpSender:]
	return net.HardwareAddr(sender[:6]), netip.AddrFrom4([4]byte(sender[6:])) == addr
}

// detectDuplicate warns of another machine with an IPv4 address of this one. The kernel does that
// for IPv6, see onAddress.
func (n *Network) detectDuplicate(l *link, addr netip.Addr) {
	if !addr.Is4() || len(l.mac) != 6 {
		return
	}
	name, mac, index := l.name, l.mac, l.index
	n.tasks.start(name, func() {
		other, err := duplicate(n.ctx, index, mac, addr)
		switch {
		case errors.Is(err, unix.EAFNOSUPPORT): // a kernel without packet sockets boots too
		case err != nil:
			n.post(func() { n.warn(err.Error()) })
		case other != nil:
			n.post(func() {
				n.warn(fmt.Sprintf("another machine on %s has the address %s, MAC %s: give each machine its own address", name, addr, other))
			})
		}
	}, n.onPanic)
}

// duplicate returns the MAC of another machine with an IPv4 address of this one, nil if none
// answers in time.
func duplicate(ctx context.Context, index int, mac net.HardwareAddr, addr netip.Addr) (net.HardwareAddr, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(dhcp4.EtherType(unix.ETH_P_ARP)))
	if err != nil {
		return nil, fmt.Errorf("detect duplicates of %s: socket: %w", addr, err)
	}
	socket := os.NewFile(uintptr(fd), "arp")
	defer func() { _ = socket.Close() }()
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: dhcp4.EtherType(unix.ETH_P_ARP), Ifindex: index}); err != nil {
		return nil, fmt.Errorf("detect duplicates of %s: bind: %w", addr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, duplicateLimit)
	defer cancel()
	defer context.AfterFunc(ctx, contain.Func("ARP probe deadline", func() { _ = socket.SetReadDeadline(time.Unix(1, 0)) }, nil))()
	all := &unix.SockaddrLinklayer{Protocol: dhcp4.EtherType(unix.ETH_P_ARP), Ifindex: index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	if err := unix.Sendto(fd, arpProbe(mac, addr), 0, all); err != nil {
		return nil, fmt.Errorf("detect duplicates of %s: send: %w", addr, err)
	}
	buf := make([]byte, 64)
	for {
		n, err := socket.Read(buf)
		switch {
		case errors.Is(err, unix.ENETDOWN): // returned once when the link goes down
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("detect duplicates of %s: receive: %w", addr, err)
		default:
			if other, ok := arpOwner(buf[:n], addr); ok && !isLocalMAC(other) {
				return other, nil
			}
		}
	}
}

// isLocalMAC reports whether a MAC is one of this machine's: the kernel answers requests for an
// address on every NIC that receives them.
func isLocalMAC(mac net.HardwareAddr) bool {
	links, err := net.Interfaces()
	return err != nil || slices.ContainsFunc(links, func(i net.Interface) bool { return bytes.Equal(i.HardwareAddr, mac) })
}

package dhcp6

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Solicit sends router solicitations (RFC 4861 section 6.3.7) until ctx ends, and returns the first
// advertisement. The interface has a link-local address: see WaitAddress.
func Solicit(ctx context.Context, name string) (Router, error) {
	r, err := solicit(ctx, name)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // what closed the socket
		}
		return Router{}, fmt.Errorf("no router answers on %s: %w", name, err)
	}
	return r, nil
}

func solicit(ctx context.Context, name string) (Router, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return Router{}, err
	}
	c, err := openICMP(i)
	if err != nil {
		return Router{}, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, contain.Func("the end of a solicitation", func() { c.Close() }, nil))()
	to := &net.IPAddr{IP: net.IPv6linklocalallrouters, Zone: strconv.Itoa(i.Index)}
	for n := 0; ; n++ {
		// With the MAC in it the router needs no neighbour solicitation (RFC 4861 4.1).
		message := []byte{typeSolicitation, 0, 0, 0, 0, 0, 0, 0}
		if len(i.HardwareAddr) == 6 {
			message = append(append(message, 1, 1), i.HardwareAddr...)
		}
		if _, err := c.WriteTo(message, to); err != nil && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.ENETUNREACH) {
			return Router{}, err
		}
		if err := c.SetReadDeadline(time.Now().Add(dhcp.Backoff(n, rand.Float64()))); err != nil {
			return Router{}, err
		}
		r, err := receiveRouter(c)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return r, err
		}
	}
}

// receiveRouter returns the next valid advertisement. One that was forwarded has a smaller hop
// limit, and is forged (RFC 4861 6.1.2).
func receiveRouter(c *net.IPConn) (Router, error) {
	buf, oob := make([]byte, 9216), make([]byte, 128)
	for {
		n, oobn, _, from, err := c.ReadMsgIP(buf, oob)
		if err != nil {
			return Router{}, err
		}
		if hopLimit(oob[:oobn]) != 255 || from == nil {
			continue
		}
		addr := from.IP.To16()
		if addr == nil {
			continue
		}
		if r, err := parseRouter(buf[:n], addrOf(addr)); err == nil {
			return r, nil
		}
	}
}

// openICMP opens a socket that receives router advertisements only.
func openICMP(i *net.Interface) (*net.IPConn, error) {
	// struct icmp6_filter { __u32 data[8]; }; a bit that is set blocks its type.
	filter := &unix.ICMPv6Filter{}
	for k := range filter.Data {
		filter.Data[k] = ^uint32(0)
	}
	filter.Data[typeAdvertisement/32] &^= 1 << (typeAdvertisement % 32)
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptICMPv6Filter(int(fd), unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, filter),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, i.Index),
				unix.BindToDevice(int(fd), i.Name))
		})
		return errors.Join(cerr, err)
	}}
	c, err := lc.ListenPacket(context.Background(), "ip6:58", "::")
	if err != nil {
		return nil, err
	}
	ip, ok := c.(*net.IPConn)
	if !ok {
		return nil, errors.New("no IP socket")
	}
	return ip, nil
}

// hopLimit returns that of a packet; 0 if the kernel did not report it.
func hopLimit(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a
}

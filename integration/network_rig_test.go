package integration

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
)

// dnsmasq starts dnsmasq in the rig's namespace, and logs its output if the test fails.
func (r *rig) dnsmasq(args ...string) *lab.Dnsmasq {
	r.t.Helper()
	d, err := r.ns.StartDnsmasq(r.ctx, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("dnsmasq:\n%s", d.Log())
		}
	})
	return d
}

// addTap adds another tap.
func (r *rig) addTap(name string, addrs ...string) *lab.Tap {
	r.t.Helper()
	var list []netip.Prefix
	for _, a := range addrs {
		list = append(list, netip.MustParsePrefix(a))
	}
	tap, err := r.ns.AddTap(name, list...)
	if err != nil {
		r.t.Fatal(err)
	}
	return tap
}

// addAddress gives a device of the rig's namespace one more address.
func (r *rig) addAddress(name, prefix string) {
	r.t.Helper()
	err := r.ns.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(prefix)
		if err != nil {
			return err
		}
		addr.Flags = unix.IFA_F_NODAD
		return netlink.AddrAdd(link, addr)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// dhcpScript serves DHCP on tap0 with the replies that a function makes of each message.
func (r *rig) dhcpScript(answer func(*dhcpv4.DHCPv4) []*dhcpv4.DHCPv4) {
	r.t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1), unix.BindToDevice(int(fd), "tap0"))
		})
		return errors.Join(cerr, err)
	}}
	var conn net.PacketConn
	err := r.ns.Do(func() (err error) {
		conn, err = lc.ListenPacket(context.Background(), "udp4", "0.0.0.0:67")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan struct{})
	r.t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			m, err := dhcpv4.FromBytes(buf[:n])
			if err != nil {
				continue
			}
			for _, a := range answer(m) {
				_, _ = conn.WriteTo(a.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 68})
			}
		}
	}()
}

// dhcpReply is a reply of the server 10.77.0.SERVER with the address 10.77.0.HOST, and options.
func dhcpReply(m *dhcpv4.DHCPv4, typ dhcpv4.MessageType, server, host byte, options dhcpv4.Options) *dhcpv4.DHCPv4 {
	a := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: m.HWType, TransactionID: m.TransactionID, ClientHWAddr: m.ClientHWAddr,
		YourIPAddr: net.IP{10, 77, 0, host}, Options: dhcpv4.Options{
			53: {byte(typ)}, 54: {10, 77, 0, server}, 51: {0, 0, 14, 16}, 1: {255, 255, 255, 0},
		},
	}
	for code, value := range options {
		a.Options[code] = value
	}
	return a
}

package uplink

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// solicited receives the solicitations that arrive on a link: the addresses that are asked for, by
// ARP (RFC 826) or by neighbour discovery (RFC 4861 4.3).
type solicited struct {
	t  *testing.T
	fd int
}

func watchSolicitations(t *testing.T, l netlink.Link) solicited {
	t.Helper()
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: l.Attrs().Index})
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}) // only a bound
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return solicited{t, fd}
}

// next returns the next address that is asked for.
func (s solicited) next() netip.Addr {
	s.t.Helper()
	for b := make([]byte, 1500); ; {
		n, _, err := unix.Recvfrom(s.fd, b, 0)
		if err != nil {
			s.t.Fatalf("no solicitation: %v", err)
		}
		switch p := b[:n]; {
		case n >= 28 && slices.Equal(p[:8], []byte{0, 1, 8, 0, 6, 4, 0, 1}): // ARP, request
			return netip.AddrFrom4([4]byte(p[24:28]))
		case n >= 64 && p[0]>>4 == 6 && p[6] == unix.IPPROTO_ICMPV6 && p[40] == 135: // neighbour solicitation
			return netip.AddrFrom16([16]byte(p[48:64]))
		}
	}
}

// A neighbour that has not answered yet is solicited again at once, by an address of its family.
// One that is known stays as it is, and other links' neighbours are not solicited.
func TestReprobeIncompleteNeighbours(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		lan, peer := vethPair(t, "lan0", "peer0")
		other, otherPeer := vethPair(t, "lan1", "peer1")
		k := kernelNIC{}
		do := func(errs ...error) {
			t.Helper()
			for _, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, name := range []string{"lan0", "lan1", "peer0", "peer1"} {
			// Without duplicate address detection, and with no second solicitation by
			// itself.
			do(os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/accept_dad", []byte("0"), 0),
				os.WriteFile("/proc/sys/net/ipv4/neigh/"+name+"/retrans_time_ms", []byte("600000"), 0),
				os.WriteFile("/proc/sys/net/ipv6/neigh/"+name+"/retrans_time_ms", []byte("600000"), 0))
		}
		do(netlink.LinkSetUp(lan), netlink.LinkSetUp(peer), netlink.LinkSetUp(other), netlink.LinkSetUp(otherPeer))
		for l, prefixes := range map[netlink.Link][]string{lan: {"10.0.0.2/24", "fd00::2/64"}, other: {"10.1.0.2/24"}} {
			for _, p := range prefixes {
				do(k.addAddress(l.Attrs().Index, netip.MustParsePrefix(p)))
			}
		}
		known := &netlink.Neigh{
			LinkIndex: lan.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_STALE, IP: net.IPv4(10, 0, 0, 7).To4(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 7},
		}
		do(netlink.NeighSet(known))
		send := func(to string) {
			t.Helper()
			c, err := net.Dial("udp", net.JoinHostPort(to, "9"))
			do(err)
			_, err = c.Write([]byte("x"))
			do(err, c.Close())
		}
		frames, otherFrames := watchSolicitations(t, peer), watchSolicitations(t, otherPeer)
		expect := func(s solicited, want string) {
			t.Helper()
			if got := s.next(); got != netip.MustParseAddr(want) {
				t.Errorf("solicited %v, want %s", got, want)
			}
		}
		send("10.0.0.9")
		expect(frames, "10.0.0.9")
		send("10.1.0.9")
		expect(otherFrames, "10.1.0.9")
		do(k.reprobeNeighbours(lan.Attrs().Index))
		expect(frames, "10.0.0.9")
		send("10.0.0.10") // after it nothing that was asked for before can arrive
		expect(frames, "10.0.0.10")
		send("fd00::9")
		expect(frames, "fd00::9")
		do(k.reprobeNeighbours(lan.Attrs().Index))
		var again []string
		for range 3 {
			again = append(again, frames.next().String())
		}
		slices.Sort(again)
		if !slices.Equal(again, []string{"10.0.0.10", "10.0.0.9", "fd00::9"}) {
			t.Errorf("solicited again: %q", again)
		}
		send("10.1.0.10")
		expect(otherFrames, "10.1.0.10")
		list, err := netlink.NeighList(lan.Attrs().Index, unix.AF_INET)
		do(err)
		i := slices.IndexFunc(list, func(n netlink.Neigh) bool { return n.IP.Equal(known.IP) })
		if i < 0 || list[i].State != netlink.NUD_STALE || list[i].HardwareAddr.String() != known.HardwareAddr.String() {
			t.Errorf("the known neighbour among %v", list)
		}
		if err := k.reprobeNeighbours(lan.Attrs().Index + 1000); err != nil { // a link that was removed
			t.Errorf("no such link: %v", err)
		}
	})
}

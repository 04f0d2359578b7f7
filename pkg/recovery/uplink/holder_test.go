package uplink

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

const (
	udpHead    = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
	packetHead = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"
)

// udpLine is one of /proc/net/udp, as a little-endian machine writes it.
func udpLine(local, remote string, inode int) string {
	return fmt.Sprintf("  233: %s %s 07 00000000:00000000 00:00000000 00000000     0        0 %d 2 0000000000000000 0\n", local, remote, inode)
}

func packetLine(proto string, index, inode int) string {
	return fmt.Sprintf("0000000000000000 3      3    %s   %d     1 0      0      %d\n", proto, index, inode)
}

// procOf is a /proc of these tables and of processes by pid, with their sockets.
func procOf(udp, packet string, processes map[string][]int) fstest.MapFS {
	proc := fstest.MapFS{"net/udp": {Data: []byte(udpHead + udp)}, "net/packet": {Data: []byte(packetHead + packet)}}
	for pid, inodes := range processes {
		for i, inode := range inodes {
			proc[fmt.Sprintf("%s/fd/%d", pid, 3+i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "socket:[%d]", inode), Mode: os.ModeSymlink}
		}
	}
	return proc
}

// The client of 10.0.0.2 on interface 2 is distinguished from other processes.
func TestDHCPClient(t *testing.T) {
	const ours, wild, other = "0200000A:0044", "00000000:0044", "4D00000A:0044"
	addr := netip.MustParseAddr("10.0.0.2")
	wildOne := udpLine(wild, "00000000:0000", 1001)
	tests := map[string]struct {
		udp, packet string
		processes   map[string][]int
		want        bool
	}{
		"none":                          {},
		"systemd-networkd":              {udp: udpLine(ours, "00000000:0000", 1001), want: true},
		"NetworkManager, connected":     {udp: udpLine(ours, "0100000A:0043", 1001), want: true},
		"networkd of another interface": {udp: udpLine(other, "00000000:0000", 1001)},
		"another port of our address":   {udp: udpLine("0200000A:0035", "00000000:0044", 1001)},
		"our renewer, or any client":    {udp: wildOne, processes: map[string][]int{"700": {1001}}},
		"dhclient of this interface":    {wildOne, packetLine("0003", 2, 1002), map[string][]int{"1": {5}, "700": {4, 1001, 1002}}, true},
		"client for IP alone":           {wildOne, packetLine("0800", 2, 1002), map[string][]int{"700": {1001, 1002}}, true},
		"dhclient of another interface": {wildOne, packetLine("0003", 3, 1002), map[string][]int{"700": {1001, 1002}}, false},
		"dhclient of another, and tcpdump of this": {
			wildOne, packetLine("0003", 3, 1002) + packetLine("0003", 2, 1003), map[string][]int{"700": {1001, 1002}, "800": {1003}}, false,
		},
		"tcpdump alone":      {packet: packetLine("0003", 2, 1003), processes: map[string][]int{"800": {1003}}},
		"lldpd and a client": {wildOne, packetLine("88cc", 2, 1002), map[string][]int{"700": {1001, 1002}}, false},
		"damaged":            {udp: "x\n1 2 3 4 5 6 7 8 9 10\n 1: 0200000A 0 0 0 0 0 0 0 7\n", packet: "y\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := dhcpClient(procOf(tt.udp, tt.packet, tt.processes), 2, addr); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if dhcpClient(fstest.MapFS{}, 2, addr) {
		t.Error("found in a /proc that cannot be read")
	}
}

func FuzzSockets(f *testing.F) {
	f.Add(udpHead+udpLine("0200000A:0044", "00000000:0000", 1001), 2)
	f.Add(packetHead+packetLine("0003", 2, 1002), 2)
	f.Fuzz(func(t *testing.T, text string, index int) {
		_, wild := clientSockets(text, netip.MustParseAddr("10.0.0.2"))
		for _, inode := range append(wild, packetSockets(text, index)...) {
			if inode == "" || !strings.Contains(text, inode) {
				t.Errorf("inode %q", inode)
			}
		}
	})
}

// The same from what the kernel shows of sockets of other processes, opened as clients open them.
func TestDHCPClientSockets(t *testing.T) {
	if kind, ok := strings.CutPrefix(nstest.Part(t), "client "); ok {
		openLike(t, kind)
		return
	}
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		lo, err := net.InterfaceByName("lo")
		if err != nil {
			t.Fatal(err)
		}
		u := testUplink()
		u.Index, u.MAC = lo.Index, ""
		if err := errors.Join((kernelNIC{}).setUp(lo.Index), (kernelNIC{}).addAddress(lo.Index, u.Lease.Address)); err != nil {
			t.Fatal(err)
		}
		own, err := net.ListenPacket("udp4", "0.0.0.0:1068") // a socket of ours, of another port
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		is := func() bool { return (kernelNIC{}).dhcpClient(lo.Index, u.Lease.Address.Addr()) }
		for _, tt := range []struct {
			kind string
			want bool
		}{{"bound", true}, {"wild", false}, {"packet", false}, {"both", true}} {
			end := startClient(t, tt.kind)
			if got := is(); got != tt.want {
				t.Errorf("%s: %v", tt.kind, got)
			}
			if end(); is() {
				t.Errorf("%s: still there after its end", tt.kind)
			}
		}
	})
}

// startClient starts a process with sockets, and returns what ends it.
func startClient(t *testing.T, kind string) func() {
	t.Helper()
	cmd := nstest.Child(t, "client "+kind, 0)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "open" {
		t.Log(lines.Text())
	}
	if lines.Text() != "open" {
		t.Fatalf("%s: the client's process ended", kind)
	}
	return func() { _ = in.Close(); _ = cmd.Wait() }
}

// openLike opens a client's sockets until its standard input ends.
func openLike(t *testing.T, kind string) {
	t.Helper()
	udp := func(addr string) {
		c, err := net.ListenPacket("udp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	switch kind {
	case "bound":
		udp("10.0.0.2:68")
	case "wild", "both":
		udp("0.0.0.0:68")
	}
	if kind == "packet" || kind == "both" {
		lo, err := net.InterfaceByName("lo")
		if err != nil {
			t.Fatal(err)
		}
		const all = unix.ETH_P_ALL << 8 // big endian
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: lo.Index})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// Whether a lease is renewed depends on what the kernel shows of its address.
func TestHolder(t *testing.T) {
	u := testUplink()
	u.Lease.SetTimes(80*time.Second, 0, 0)
	another := ifaceAddr{netip.MustParsePrefix("10.0.0.77/24"), time.Hour, 2}
	linkLocal := an("169.254.7.7/16", 2)
	ours := func(left time.Duration) ifaceAddr { return ifaceAddr{u.Lease.Address, left, 2} }
	for name, tt := range map[string]struct {
		addrs  []ifaceAddr
		client bool
		others bool
		left   time.Duration
	}{
		"as the boot gave it":                {[]ifaceAddr{ours(dhcp.Infinite)}, false, false, dhcp.Infinite},
		"without end, a client holds it":     {[]ifaceAddr{ours(dhcp.Infinite)}, true, true, dhcp.Infinite},
		"just renewed":                       {[]ifaceAddr{ours(79 * time.Second)}, false, true, 79 * time.Second},
		"to be renewed":                      {[]ifaceAddr{ours(11 * time.Second)}, false, true, 11 * time.Second},
		"about to end":                       {[]ifaceAddr{ours(9 * time.Second)}, false, false, 9 * time.Second},
		"about to end, a client gets none":   {[]ifaceAddr{ours(9 * time.Second)}, true, false, 9 * time.Second},
		"beside another address":             {[]ifaceAddr{another, ours(9 * time.Second)}, false, false, 9 * time.Second},
		"another address":                    {[]ifaceAddr{another}, false, true, dhcp.Infinite},
		"none":                               {nil, true, false, dhcp.Infinite},
		"none but one that all may give out": {[]ifaceAddr{linkLocal}, false, false, dhcp.Infinite},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole()
			w.addrs, w.client = tt.addrs, tt.client
			h := newKeeper(faked{w}, nil, []Uplink{u}, nil).leaseHolder(0, u.Lease)
			if h.renewedByOther != tt.others || h.left != tt.left || h.cfg.Interface != "eth0" || len(h.cfg.MAC) != 6 {
				t.Errorf("got %+v", h)
			}
		})
	}
	w := whole()
	w.there = false
	if h := newKeeper(faked{w}, nil, []Uplink{u}, nil).leaseHolder(0, u.Lease); h.cfg.Interface != "" || h.renewedByOther {
		t.Errorf("an interface that is gone: %+v", h)
	}
}

// A renewed lease extends the lifetime of its address, and does not add a missing address.
func TestRenewed(t *testing.T) {
	w := whole()
	k := newKeeper(faked{w}, nil, []Uplink{testUplink()}, nil)
	if k.Renewed(0, testUplink().Lease); w.took() != "address 10.0.0.2/24 on 2" {
		t.Errorf("did %v", w.did)
	}
	w.addrs = nil
	if k.Renewed(0, testUplink().Lease); w.took() != "" {
		t.Errorf("did %v", w.did)
	}
}

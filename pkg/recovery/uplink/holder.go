package uplink

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// No interface reports whether another program renews a lease: it is deduced, and in doubt the
// agent renews too. Two clients that extend one lease do no harm (RFC 2131 section 4.3.2); if none
// does, the server assigns root's address to another machine.
//
//  1. The interface has other addresses and not the lease's: the system has
//     decided otherwise, and the lease does not matter any more.
//  2. The address has an end. The boot gives it none, so a client of the system
//     did (dhclient's script, systemd-networkd, NetworkManager and dhcpcd all
//     do). A client that renews never lets less than an eighth of the lease be
//     left (RFC 2131 section 4.4.5, T2): more is left, it renews; less, it does
//     not, with any sockets.
//  3. The address has no lifetime (udhcpc's script, older ones of dhclient). Then a
//     client is one that has a UDP socket bound to the address and port 68, as
//     systemd-networkd, NetworkManager and dhcpcd have, or one process with both
//     a UDP socket of port 68 for any address, and a packet socket for IP or for
//     all protocols on this interface, as dhclient has. A socket for any address
//     alone may be another interface's client, or one of the agent's renewers; a
//     packet socket alone, tcpdump.

// holding is how the running system uses a lease.
type holding struct {
	cfg            dhcp4.Config  // of the interface with its address; without a name there is none
	present        bool          // the interface has it
	renewedByOther bool          // another program renews it, or it is not used any more
	left           time.Duration // of the address's lifetime; dhcp.Infinite: it has no end
}

// leaseHolder reads that from the kernel, for the i-th uplink. The renewers' goroutines call it.
func (k *Keeper) leaseHolder(i int, l dhcp.Lease) holding {
	h := holding{left: dhcp.Infinite}
	iface, ok := currentPlace(k.nic, k.shown()[i].uplink)
	if !ok {
		return h
	}
	mac, _ := net.ParseMAC(iface.mac)
	h.cfg = dhcp4.Config{Interface: iface.name, MAC: mac, HostName: l.HostName, SinceBoot: clock.SinceBoot}
	have, err := k.addressesOn(iface, l)
	if err != nil {
		return h
	}
	at := slices.IndexFunc(have, func(a ifaceAddr) bool { return a.Addr() == l.Address.Addr() })
	if at < 0 {
		h.renewedByOther = slices.ContainsFunc(have, func(a ifaceAddr) bool { return !a.Addr().IsLinkLocalUnicast() })
		return h
	}
	h.present = true
	if h.left = have[at].left; h.left == dhcp.Infinite {
		h.renewedByOther = k.nic.dhcpClient(iface.index, l.Address.Addr())
	} else {
		h.renewedByOther = h.left > l.Lifetime/8
	}
	return h
}

// addressesOn returns the addresses of an interface, of a lease's family.
func (k *Keeper) addressesOn(iface link, l dhcp.Lease) ([]ifaceAddr, error) {
	all, err := k.nic.addresses(l.Address.Addr().Is6())
	return slices.DeleteFunc(slices.Clone(all), func(a ifaceAddr) bool { return a.index != iface.index }), err
}

// Renewed stores a renewed lease, and removes the lifetime of its address, which a client that does
// not renew any more may have set. The renewers' goroutines call it.
func (k *Keeper) Renewed(i int, l dhcp.Lease) {
	k.setLease(i, l)
	iface, ok := currentPlace(k.nic, k.shown()[i].uplink)
	if !ok {
		return
	}
	have, err := k.addressesOn(iface, l)
	if err == nil && slices.ContainsFunc(have, func(a ifaceAddr) bool { return a.Addr() == l.Address.Addr() }) {
		err = k.nic.addAddress(iface.index, l.Address)
	}
	if err != nil {
		k.log.Warnf("network: keep %s: %v", l.Address, err)
	}
}

// setLease stores a lease for Maintain. The renewers' goroutines call it.
func (k *Keeper) setLease(i int, l dhcp.Lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leases[i] = l
}

// dhcpClient implements nic.
func (kernelNIC) dhcpClient(index int, addr netip.Addr) bool {
	return dhcpClient(os.DirFS("/proc"), index, addr)
}

// clientPort is the port of a DHCP client (RFC 2131 section 4.1).
const clientPort = 68

// dhcpClient reports whether a process renews an address by DHCP, by the third rule. proc is /proc.
func dhcpClient(proc fs.FS, index int, addr netip.Addr) bool {
	udp, err := fs.ReadFile(proc, "net/udp")
	if err != nil {
		return false
	}
	bound, wild := clientSockets(string(udp), addr)
	if bound || len(wild) == 0 {
		return bound
	}
	packet, err := fs.ReadFile(proc, "net/packet")
	if err != nil {
		return false
	}
	raw := packetSockets(string(packet), index)
	return len(raw) > 0 && oneHasBoth(proc, wild, raw)
}

// clientSockets reads from the text of /proc/net/udp (net/ipv4/udp.c: udp4_format_sock) whether a
// socket is bound to an address and the client's port, and the inodes of those that are bound to
// the port alone.
func clientSockets(text string, addr netip.Addr) (bound bool, wild []string) {
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line) // sl local_address rem_address st queues timer retrnsmt uid timeout inode ...
		if len(f) < 10 {
			continue
		}
		local, port, _ := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(local, 16, 32) // the bytes of the address as a number of this machine's
		if p, perr := strconv.ParseUint(port, 16, 16); err != nil || perr != nil || p != clientPort {
			continue
		}
		at := netip.AddrFrom4([4]byte(binary.NativeEndian.AppendUint32(nil, uint32(n))))
		if at.IsUnspecified() {
			wild = append(wild, f[9])
		}
		bound = bound || at == addr
	}
	return bound, wild
}

// packetSockets reads from the text of /proc/net/packet (net/packet/af_packet.c: packet_seq_show)
// the inodes of the sockets of an interface that receive IP.
func packetSockets(text string, index int) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line) // sk RefCnt Type Proto Iface R Rmem User Inode
		if len(f) < 9 || f[4] != strconv.Itoa(index) {
			continue
		}
		if proto, err := strconv.ParseUint(f[3], 16, 16); err == nil && (proto == unix.ETH_P_IP || proto == unix.ETH_P_ALL) {
			out = append(out, f[8])
		}
	}
	return out
}

// oneHasBoth reports whether one process has a socket of each of two lists of inodes.
func oneHasBoth(proc fs.FS, a, b []string) bool {
	pids, err := fs.Glob(proc, "[0-9]*")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(pids, func(pid string) bool {
		dir := pid + "/fd"
		files, err := fs.ReadDir(proc, dir)
		if err != nil {
			return false // it has ended
		}
		hasA, hasB := false, false
		for _, f := range files {
			target, err := fs.ReadLink(proc, dir+"/"+f.Name())
			if err != nil {
				continue
			}
			is := func(inode string) bool { return target == fmt.Sprintf("socket:[%s]", inode) }
			hasA, hasB = hasA || slices.ContainsFunc(a, is), hasB || slices.ContainsFunc(b, is)
		}
		return hasA && hasB
	})
}

package dhcp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The ports (RFC 2131 section 4.1).
const (
	serverPort = 67
	clientPort = 68
)

// packetConn is a socket below IP, since an interface without an address can neither send nor
// receive by UDP.
type packetConn struct {
	file  *os.File
	index int
	buf   []byte
	oob   []byte
}

// Open opens an interface that is up, for Acquire.
func Open(name string) (Conn, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("DHCP on %s: %w", name, err)
	}
	// Without a protocol nothing is received before the filter is attached.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("DHCP on %s: socket: %w", name, err)
	}
	if err := prepare(fd, i.Index); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("DHCP on %s: %w", name, err)
	}
	// A message has at most 64 KiB, and is truncated if it is larger than the option's maximum.
	return &packetConn{os.NewFile(uintptr(fd), "dhcp "+name), i.Index, make([]byte, 9216), make([]byte, 128)}, nil
}

func prepare(fd, index int) error {
	filter := clientFilter()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return fmt.Errorf("ask for auxiliary data: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: EtherType(unix.ETH_P_IP), Ifindex: index}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// EtherType is a protocol of Ethernet in the network's byte order, in which socket(2) and the
// kernel's struct sockaddr_ll take it (packet(7)).
func EtherType(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// clientFilter accepts unfragmented packets to UDP port 68. Offsets are from the IP header, where a
// SOCK_DGRAM packet begins.
func clientFilter() []unix.SockFilter {
	const (
		ldb  = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		ldh  = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		ldx  = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH // X = length of the IP header
		ldhx = unix.BPF_LD | unix.BPF_H | unix.BPF_IND
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jset = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	return []unix.SockFilter{
		{Code: ldb, K: 9}, // protocol
		{Code: jeq, K: unix.IPPROTO_UDP, Jf: 6},
		{Code: ldh, K: 6}, // flags and fragment offset
		{Code: jset, K: 0x3fff, Jt: 4},
		{Code: ldx, K: 0},
		{Code: ldhx, K: 2}, // destination port
		{Code: jeq, K: clientPort, Jf: 1},
		{Code: ret, K: 0xffff},
		{Code: ret, K: 0},
	}
}

// Close implements Conn.
func (c *packetConn) Close() error { return c.file.Close() }

// Send implements Conn: from 0.0.0.0 to the broadcast address.
func (c *packetConn) Send(message []byte) error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	to := &unix.SockaddrLinklayer{
		Protocol: EtherType(unix.ETH_P_IP), Ifindex: c.index,
		Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	packet := wrap(message)
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = unix.Sendto(int(fd), packet, 0, to)
		return true
	})
	if err = errors.Join(err, serr); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Receive implements Conn.
func (c *packetConn) Receive(deadline time.Time) ([]byte, error) {
	if err := c.file.SetReadDeadline(deadline); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	raw, err := c.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	for {
		var n, oobn, flags int
		var from unix.Sockaddr
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			n, oobn, flags, from, rerr = unix.Recvmsg(int(fd), c.buf, c.oob, 0)
			return !errors.Is(rerr, unix.EAGAIN)
		})
		// ENETDOWN is returned once when the link goes down; it may come up again.
		if err == nil && rerr != nil && !errors.Is(rerr, unix.EINTR) && !errors.Is(rerr, unix.ENETDOWN) {
			err = rerr
		}
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		if rerr != nil || flags&unix.MSG_TRUNC != 0 || !forUs(from) {
			continue
		}
		aux := auxiliary(c.oob[:oobn])
		if aux.tagged() {
			continue
		}
		if message, ok := unwrap(c.buf[:n], aux.checksummed()); ok {
			return message, nil
		}
	}
}

// forUs reports whether the frame was sent to this machine or to a group: a network card in
// promiscuous mode receives more.
func forUs(from unix.Sockaddr) bool {
	ll, ok := from.(*unix.SockaddrLinklayer)
	return ok && (ll.Pkttype == unix.PACKET_HOST || ll.Pkttype == unix.PACKET_BROADCAST || ll.Pkttype == unix.PACKET_MULTICAST)
}

// auxdata is the kernel's metadata of a packet.
//
//	struct tpacket_auxdata { __u32 tp_status; __u32 tp_len; __u32 tp_snaplen;
//	  __u16 tp_mac; __u16 tp_net; __u16 tp_vlan_tci; __u16 tp_vlan_tpid; };
type auxdata struct {
	status uint32
	tci    uint16
}

func auxiliary(oob []byte) (a auxdata) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return a
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= 20 {
			a = auxdata{binary.NativeEndian.Uint32(m.Data), binary.NativeEndian.Uint16(m.Data[16:])}
		}
	}
	return a
}

// tagged reports whether the frame belongs to a VLAN, and so to another interface.
func (a auxdata) tagged() bool { return a.status&unix.TP_STATUS_VLAN_VALID != 0 && a.tci&0xfff != 0 }

// checksummed reports whether the UDP checksum is computed: a sender in the same machine, or in a
// virtual one's host, leaves it to hardware that never is.
func (a auxdata) checksummed() bool { return a.status&unix.TP_STATUS_CSUMNOTREADY == 0 }

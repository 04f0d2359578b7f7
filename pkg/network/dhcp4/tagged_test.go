package dhcp4

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// auxMessage is the control message by which the kernel describes a frame (packet(7),
// PACKET_AUXDATA).
func auxMessage(level, typ int32, status uint32, tci uint16) []byte {
	data := make([]byte, 20) // struct tpacket_auxdata
	binary.NativeEndian.PutUint32(data, status)
	binary.NativeEndian.PutUint16(data[16:], tci)
	b := binary.NativeEndian.AppendUint64(nil, uint64(unix.CmsgLen(len(data))))
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(typ))
	return append(append(b, data...), make([]byte, unix.CmsgSpace(len(data))-unix.CmsgLen(len(data)))...)
}

// A frame of a VLAN is another interface's, though the kernel hands it to this one too. Priority
// tagged frames, whose VLAN is 0, are this one's (IEEE 802.1Q).
func TestTagged(t *testing.T) {
	const valid, unready = unix.TP_STATUS_VLAN_VALID, unix.TP_STATUS_CSUMNOTREADY
	for _, tt := range []struct {
		name                string
		oob                 []byte
		tagged, checksummed bool
	}{
		{"no tag", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, 0, 0), false, true},
		{"VLAN 5", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, valid, 5), true, true},
		{"VLAN 4094 with a priority", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, valid, 7<<13|4094), true, true},
		{"a priority alone", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, valid, 7<<13), false, true},
		{"a field that is not set", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, 0, 5), false, true},
		{"no checksum yet", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, unready, 0), false, false},
		{"both", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, unready|valid, 5), true, false},
		{"another message", auxMessage(unix.SOL_SOCKET, unix.PACKET_AUXDATA, unready|valid, 5), false, true},
		{"another message of the same kind", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA+1, unready|valid, 5), false, true},
		{"after another message", append(auxMessage(unix.SOL_SOCKET, 1, 0, 0), auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, valid, 5)...), true, true},
		{"cut off", auxMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, valid, 5)[:30], false, true},
		{"none", nil, false, true},
	} {
		aux := auxiliary(tt.oob)
		if aux.tagged() != tt.tagged || aux.checksummed() != tt.checksummed {
			t.Errorf("%s: %+v: tagged %v, checksummed %v", tt.name, aux, aux.tagged(), aux.checksummed())
		}
	}
}

// Of a card in promiscuous mode only what was sent to this machine or to a group counts.
func TestForUs(t *testing.T) {
	for typ, want := range map[uint8]bool{
		unix.PACKET_HOST: true, unix.PACKET_BROADCAST: true, unix.PACKET_MULTICAST: true, unix.PACKET_OTHERHOST: false, unix.PACKET_OUTGOING: false,
	} {
		if got := forUs(&unix.SockaddrLinklayer{Pkttype: typ}); got != want {
			t.Errorf("packet type %d: %v", typ, got)
		}
	}
	if forUs(&unix.SockaddrInet4{}) || forUs(nil) {
		t.Error("an address that is not of the link layer")
	}
}

// packet is a DHCP packet to a client's port, which change may spoil; sums are made afterwards.
func packet(change func(b []byte)) []byte {
	b := wrap([]byte("a message"))
	binary.BigEndian.PutUint16(b[ipLen+2:], clientPort)
	change(b)
	if len(b) < ipLen {
		return b
	}
	header := int(b[0]&15) * 4
	b[10], b[11], b[ipLen+6], b[ipLen+7] = 0, 0, 0, 0
	binary.BigEndian.PutUint16(b[10:], ^sum(b[:min(header, len(b))], 0))
	binary.BigEndian.PutUint16(b[ipLen+6:], ^udpSum(b, ipLen))
	return b
}

// Only whole packets of UDP to the client's port are taken, and each byte of them is checked.
func TestPackets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(b []byte)
		ok     bool
	}{
		{"as it should be", func([]byte) {}, true},
		{"don't fragment", func(b []byte) { b[6] = 0x40 }, true},
		{"the first fragment", func(b []byte) { b[6] = 0x20 }, false},
		{"a later fragment", func(b []byte) { b[7] = 1 }, false},
		{"to the server's port", func(b []byte) { b[ipLen+3] = serverPort }, false},
		{"TCP", func(b []byte) { b[9] = unix.IPPROTO_TCP }, false},
		{"IPv6", func(b []byte) { b[0] = 6<<4 | 5 }, false},
		{"a short header", func(b []byte) { b[0] = 4<<4 | 4 }, false},
		{"longer than the frame", func(b []byte) { b[3]++ }, false},
		{"without room for UDP", func(b []byte) { b[3] = ipLen + udpLen - 1 }, false},
		{"UDP longer than the packet", func(b []byte) { b[ipLen+5]++ }, false},
		{"UDP shorter than its header", func(b []byte) { b[ipLen+5] = udpLen - 1 }, false},
	} {
		got, ok := unwrap(packet(tt.change), false)
		if ok != tt.ok || ok && string(got) != "a message" {
			t.Errorf("%s: %q, %v", tt.name, got, ok)
		}
	}
	good := packet(func([]byte) {})
	padded := append(append([]byte{}, good...), 0, 0, 0) // Ethernet's shortest frame has 60 bytes
	if got, ok := unwrap(padded, true); !ok || string(got) != "a message" {
		t.Errorf("with padding: %q, %v", got, ok)
	}
	for i := range good {
		spoilt := append([]byte{}, good...)
		spoilt[i] ^= 1
		if got, ok := unwrap(spoilt, true); ok && i != 8 && i < ipLen {
			t.Errorf("byte %d is wrong: %q", i, got)
		} else if ok {
			t.Errorf("byte %d is wrong, and no sum notices: %q", i, got)
		}
	}
	// Without a checksum, and with one that only the card would have made.
	none := packet(func([]byte) {})
	none[ipLen+6], none[ipLen+7] = 0, 0
	if _, ok := unwrap(none, true); !ok {
		t.Error("a packet without a checksum is refused (RFC 768: it is optional)")
	}
	partial := packet(func([]byte) {})
	partial[ipLen+6] ^= 1
	if _, ok := unwrap(partial, false); !ok {
		t.Error("a packet whose checksum is not made yet is refused")
	}
	for n := range good {
		if got, ok := unwrap(good[:n], false); ok {
			t.Errorf("cut off after %d bytes: %q", n, got)
		}
	}
}

package dhcp4

import "encoding/binary"

// Headers of IPv4 (RFC 791) without options, and UDP (RFC 768).
const (
	ipLen  = 20
	udpLen = 8

	protocolUDP = 17
)

// wrap puts a message into a packet from 0.0.0.0 to 255.255.255.255.
func wrap(message []byte) []byte {
	b := make([]byte, ipLen+udpLen, ipLen+udpLen+len(message))
	b[0] = 4<<4 | ipLen/4
	b[1] = 0xc0 // network control (RFC 2474 section 4.2.2.1), as other clients have it
	binary.BigEndian.PutUint16(b[2:], uint16(ipLen+udpLen+len(message)))
	b[8] = 64 // hops
	b[9] = protocolUDP
	copy(b[16:], []byte{255, 255, 255, 255})
	binary.BigEndian.PutUint16(b[10:], ^sum(b[:ipLen], 0))
	udp := b[ipLen:]
	binary.BigEndian.PutUint16(udp, clientPort)
	binary.BigEndian.PutUint16(udp[2:], serverPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(udpLen+len(message)))
	b = append(b, message...)
	check := ^udpSum(b, ipLen)
	if check == 0 {
		check = 0xffff // 0 would mean none
	}
	binary.BigEndian.PutUint16(b[ipLen+6:], check)
	return b
}

// unwrap returns the message to the client's port in a packet.
func unwrap(b []byte, checksummed bool) ([]byte, bool) {
	if len(b) < ipLen || b[0]>>4 != 4 {
		return nil, false
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipLen || total < header+udpLen || total > len(b) || b[9] != protocolUDP || sum(b[:header], 0) != 0xffff {
		return nil, false
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 { // a fragment
		return nil, false
	}
	udp := b[header:total]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < udpLen || n > len(udp) || binary.BigEndian.Uint16(udp[2:]) != clientPort {
		return nil, false
	}
	if checksummed && binary.BigEndian.Uint16(udp[6:]) != 0 && udpSum(b[:header+n], header) != 0xffff {
		return nil, false
	}
	return udp[udpLen:n], true
}

// udpSum adds up a packet's UDP part with its pseudo header.
func udpSum(b []byte, header int) uint16 {
	return sum(b[header:], uint32(sum(b[12:20], 0))+protocolUDP+uint32(len(b)-header))
}

// sum is the ones' complement sum of RFC 1071.
func sum(b []byte, start uint32) uint16 {
	s := start
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

package iscsi

import (
	"encoding/binary"
	"hash/crc32"
)

// digestLen is the length of a digest in bytes.
const digestLen = 4

// SetDigests enables CRC32C digests in later PDUs, as negotiated: they begin with the full feature
// phase (RFC 7143 13.1).
func (t *TCPPipe) SetDigests(header, data bool) { t.headerDigest, t.dataDigest = header, data }

// withDigests inserts the digests into a PDU in its wire form (RFC 7143 11.2.3, 11.2.4): the
// header's behind the AHS, the data's, if there are data, behind their padding.
func (t *TCPPipe) withDigests(b []byte) []byte {
	ahs, data := lengths((*[BHSLen]byte)(b))
	head, body := b[:BHSLen+ahs], b[BHSLen+ahs:]
	out := make([]byte, 0, len(b)+2*digestLen)
	out = append(out, head...)
	if t.headerDigest {
		out = appendDigest(out, head)
	}
	out = append(out, body...)
	if t.dataDigest && data > 0 {
		out = appendDigest(out, body)
	}
	return out
}

// appendDigest appends the CRC32C of some bytes, the lowest byte first (RFC 7143 appendix A.5: 32
// bytes of zeros give aa 36 91 8a).
func appendDigest(to []byte, parts ...[]byte) []byte {
	sum := uint32(0)
	for _, p := range parts {
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), p)
	}
	return binary.LittleEndian.AppendUint32(to, sum)
}

// digestSize returns how many bytes of digest follow.
func digestSize(on bool) int {
	if on {
		return digestLen
	}
	return 0
}

// verifyDigest checks the digest at the end of a header or a data segment, and returns the bytes
// without it. before was read earlier of the same part.
func verifyDigest(on bool, what string, p *PDU, before, b []byte) ([]byte, error) {
	if !on {
		return b, nil
	}
	part, sum := b[:len(b)-digestLen], b[len(b)-digestLen:]
	if [digestLen]byte(appendDigest(nil, before, part)) != [digestLen]byte(sum) {
		return nil, protocolErrorf("7.8", "%v: the %s digest is wrong", p.Opcode(), what)
	}
	return part, nil
}

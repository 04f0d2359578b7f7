package iscsi

import (
	"encoding/binary"
	"fmt"
)

// Sizes of a PDU's parts, in bytes (RFC 7143 11.2).
const (
	// BHSLen is the length of the basic header segment.
	BHSLen = 48
	// MaxAHSLen is the longest total of additional header segments: the field TotalAHSLength
	// counts 4-byte words in one byte.
	MaxAHSLen = 255 * 4
	// MaxDataLen is the longest data segment that DataSegmentLength can name.
	MaxDataLen = 1<<24 - 1
	// LoginDataLen is the longest data segment of a login PDU in either direction: the default
	// of MaxRecvDataSegmentLength, which holds until full feature phase (RFC 7143 13.12).
	LoginDataLen = 8192
)

// PDU is one whole protocol data unit without digests (RFC 7143 11.2). In a PDU from a Pipe the two
// length fields of BHS agree with AHS and Data.
type PDU struct {
	// BHS is the basic header segment.
	BHS [BHSLen]byte
	// AHS holds the additional header segments; its length is a multiple of 4 and at most
	// MaxAHSLen.
	AHS []byte
	// Data is the data segment without its padding, at most MaxDataLen bytes.
	Data []byte
}

// Opcode returns the operation code of the PDU.
func (p *PDU) Opcode() Opcode { return Opcode(p.BHS[0] & 0x3f) }

// ITT returns the Initiator Task Tag (RFC 7143 11.2.1.8).
func (p *PDU) ITT() uint32 { return binary.BigEndian.Uint32(p.BHS[16:]) }

// lengths returns TotalAHSLength and DataSegmentLength in bytes as the header states them (RFC 7143
// 11.2.1.5, 11.2.1.6).
func lengths(bhs *[BHSLen]byte) (ahs, data int) {
	return int(bhs[4]) * 4, int(bhs[5])<<16 | int(bhs[6])<<8 | int(bhs[7])
}

// SetLengths writes TotalAHSLength and DataSegmentLength into the header from the lengths of AHS
// and Data. It fails if one of them cannot be expressed.
func (p *PDU) SetLengths() error {
	if len(p.AHS) > MaxAHSLen || len(p.AHS)%4 != 0 {
		return fmt.Errorf("%v: additional header of %d bytes: want a multiple of 4 up to %d", p.Opcode(), len(p.AHS), MaxAHSLen)
	}
	if len(p.Data) > MaxDataLen {
		return fmt.Errorf("%v: data segment of %d bytes: limit %d", p.Opcode(), len(p.Data), MaxDataLen)
	}
	p.BHS[4] = byte(len(p.AHS) / 4)
	p.BHS[5], p.BHS[6], p.BHS[7] = byte(len(p.Data)>>16), byte(len(p.Data)>>8), byte(len(p.Data))
	return nil
}

// pad returns how many zero bytes follow a data segment of n bytes, so that it ends on a 4-byte
// word (RFC 7143 11.1).
func pad(n int) int { return -n & 3 }

// MarshalBinary returns the bytes of the PDU on a stream without digests: both header segments, the
// data and its padding. The length fields of the result follow AHS and Data.
func (p *PDU) MarshalBinary() ([]byte, error) {
	if err := p.SetLengths(); err != nil {
		return nil, err
	}
	n := BHSLen + len(p.AHS) + len(p.Data)
	b := make([]byte, 0, n+pad(len(p.Data)))
	b = append(b, p.BHS[:]...)
	b = append(b, p.AHS...)
	b = append(b, p.Data...)
	return append(b, make([]byte, pad(len(p.Data)))...), nil
}

// UnmarshalBinary reads exactly one PDU from b, padding included. Padding may hold any value. The
// PDU does not keep b.
func (p *PDU) UnmarshalBinary(b []byte) error {
	if len(b) < BHSLen {
		return protocolErrorf("11.2", "PDU of %d bytes is shorter than its header of %d", len(b), BHSLen)
	}
	bhs := [BHSLen]byte(b)
	ahs, data := lengths(&bhs)
	if want := BHSLen + ahs + data + pad(data); len(b) != want {
		return protocolErrorf("11.2", "PDU of %d bytes, its header says %d", len(b), want)
	}
	*p = PDU{BHS: bhs}
	if ahs > 0 {
		p.AHS = append([]byte(nil), b[BHSLen:BHSLen+ahs]...)
	}
	if data > 0 {
		p.Data = append([]byte(nil), b[BHSLen+ahs:BHSLen+ahs+data]...)
	}
	return nil
}

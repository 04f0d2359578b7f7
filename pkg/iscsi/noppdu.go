package iscsi

import "encoding/binary"

// NOPOut is one NOP-Out, a ping of the initiator or its answer to one (RFC 7143 11.18).
type NOPOut struct {
	Immediate bool
	LUN       [8]byte
	// ITT is 0xffffffff if no answer is requested; TTT repeats the tag of the target's ping, or
	// is 0xffffffff.
	ITT, TTT  uint32
	CmdSN     uint32
	ExpStatSN uint32
	// Data is returned in the answer.
	Data []byte
}

// PDU encodes the NOP-Out. The PDU shares Data with it.
func (n *NOPOut) PDU() (*PDU, error) {
	p := &PDU{Data: n.Data}
	b := &p.BHS
	b[0], b[1] = opcodeByte(OpNOPOut, n.Immediate), finalBit
	copy(b[8:16], n.LUN[:])
	binary.BigEndian.PutUint32(b[16:], n.ITT)
	binary.BigEndian.PutUint32(b[20:], n.TTT)
	binary.BigEndian.PutUint32(b[24:], n.CmdSN)
	binary.BigEndian.PutUint32(b[28:], n.ExpStatSN)
	return p, p.SetLengths()
}

// ParseNOPOut decodes a NOP-Out, as a target does. It shares Data with the PDU.
func ParseNOPOut(p *PDU) (*NOPOut, error) {
	if err := checkPDU(p, OpNOPOut, "11.18"); err != nil {
		return nil, err
	}
	b := &p.BHS
	return &NOPOut{
		Immediate: b[0]&immediateBit != 0,
		LUN:       [8]byte(b[8:16]),
		ITT:       p.ITT(),
		TTT:       binary.BigEndian.Uint32(b[20:]),
		CmdSN:     binary.BigEndian.Uint32(b[24:]),
		ExpStatSN: binary.BigEndian.Uint32(b[28:]),
		Data:      p.Data,
	}, nil
}

// NOPIn is one NOP-In, a ping of the target or its answer to one (RFC 7143 11.19).
type NOPIn struct {
	LUN [8]byte
	// ITT repeats the tag of the initiator's ping, or is 0xffffffff; TTT is 0xffffffff if no
	// answer is requested.
	ITT, TTT uint32
	StatSN   uint32
	ExpCmdSN uint32
	MaxCmdSN uint32
	Data     []byte
}

// PDU encodes the NOP-In, as a target does. The PDU shares Data with it.
func (n *NOPIn) PDU() (*PDU, error) {
	p := &PDU{Data: n.Data}
	b := &p.BHS
	b[0], b[1] = byte(OpNOPIn), finalBit
	copy(b[8:16], n.LUN[:])
	binary.BigEndian.PutUint32(b[16:], n.ITT)
	binary.BigEndian.PutUint32(b[20:], n.TTT)
	binary.BigEndian.PutUint32(b[24:], n.StatSN)
	binary.BigEndian.PutUint32(b[28:], n.ExpCmdSN)
	binary.BigEndian.PutUint32(b[32:], n.MaxCmdSN)
	return p, p.SetLengths()
}

// ParseNOPIn decodes a NOP-In. It shares Data with the PDU.
func ParseNOPIn(p *PDU) (*NOPIn, error) {
	if err := checkPDU(p, OpNOPIn, "11.19"); err != nil {
		return nil, err
	}
	b := &p.BHS
	return &NOPIn{
		LUN:      [8]byte(b[8:16]),
		ITT:      p.ITT(),
		TTT:      binary.BigEndian.Uint32(b[20:]),
		StatSN:   binary.BigEndian.Uint32(b[24:]),
		ExpCmdSN: binary.BigEndian.Uint32(b[28:]),
		MaxCmdSN: binary.BigEndian.Uint32(b[32:]),
		Data:     p.Data,
	}, nil
}

package iscsi

import "encoding/binary"

// reservedTag is a task or transfer tag that names nothing (RFC 7143 11.2.1.8, 11.10.4).
const reservedTag = 0xffffffff

// finalBit is the F bit in byte 1 of PDUs outside the login phase (RFC 7143 11.2.1.2).
const finalBit = 0x80

// TextRequest is one Text Request (RFC 7143 11.10).
type TextRequest struct {
	// Immediate requests have the number of the next command and do not consume it.
	Immediate bool
	// Final is the F bit: nothing follows from the initiator.
	Final bool
	// Continue is the C bit: the text goes on in the next request.
	Continue bool
	LUN      [8]byte
	ITT      uint32
	// TTT is 0xffffffff in the first request of a sequence, then the tag of the last response
	// (11.10.4).
	TTT       uint32
	CmdSN     uint32
	ExpStatSN uint32
	// Data is the text.
	Data []byte
}

// PDU encodes the request. The PDU shares Data with it.
func (r *TextRequest) PDU() (*PDU, error) {
	p := &PDU{Data: r.Data}
	b := &p.BHS
	b[0], b[1] = opcodeByte(OpTextRequest, r.Immediate), textFlags(r.Final, r.Continue)
	copy(b[8:16], r.LUN[:])
	binary.BigEndian.PutUint32(b[16:], r.ITT)
	binary.BigEndian.PutUint32(b[20:], r.TTT)
	binary.BigEndian.PutUint32(b[24:], r.CmdSN)
	binary.BigEndian.PutUint32(b[28:], r.ExpStatSN)
	return p, p.SetLengths()
}

// ParseTextRequest decodes a Text Request, as a target does. The request shares Data with the PDU.
func ParseTextRequest(p *PDU) (*TextRequest, error) {
	if err := checkPDU(p, OpTextRequest, "11.10"); err != nil {
		return nil, err
	}
	b := &p.BHS
	return &TextRequest{
		Immediate: b[0]&immediateBit != 0, Final: b[1]&finalBit != 0, Continue: b[1]&continueBit != 0,
		LUN:       [8]byte(b[8:16]),
		ITT:       p.ITT(),
		TTT:       binary.BigEndian.Uint32(b[20:]),
		CmdSN:     binary.BigEndian.Uint32(b[24:]),
		ExpStatSN: binary.BigEndian.Uint32(b[28:]),
		Data:      p.Data,
	}, nil
}

// TextResponse is one Text Response (RFC 7143 11.11).
type TextResponse struct {
	// Final is the F bit: nothing follows from the target, and TTT is 0xffffffff.
	Final bool
	// Continue is the C bit: a pair goes on in the next response.
	Continue bool
	LUN      [8]byte
	ITT      uint32
	TTT      uint32
	StatSN   uint32
	ExpCmdSN uint32
	MaxCmdSN uint32
	// Data is the text.
	Data []byte
}

// PDU encodes the response, as a target does. The PDU shares Data with it.
func (r *TextResponse) PDU() (*PDU, error) {
	p := &PDU{Data: r.Data}
	b := &p.BHS
	b[0], b[1] = byte(OpTextResponse), textFlags(r.Final, r.Continue)
	copy(b[8:16], r.LUN[:])
	binary.BigEndian.PutUint32(b[16:], r.ITT)
	binary.BigEndian.PutUint32(b[20:], r.TTT)
	binary.BigEndian.PutUint32(b[24:], r.StatSN)
	binary.BigEndian.PutUint32(b[28:], r.ExpCmdSN)
	binary.BigEndian.PutUint32(b[32:], r.MaxCmdSN)
	return p, p.SetLengths()
}

// ParseTextResponse decodes a Text Response. The response shares Data with the PDU.
func ParseTextResponse(p *PDU) (*TextResponse, error) {
	if err := checkPDU(p, OpTextResponse, "11.11"); err != nil {
		return nil, err
	}
	b := &p.BHS
	return &TextResponse{
		Final: b[1]&finalBit != 0, Continue: b[1]&continueBit != 0,
		LUN:      [8]byte(b[8:16]),
		ITT:      p.ITT(),
		TTT:      binary.BigEndian.Uint32(b[20:]),
		StatSN:   binary.BigEndian.Uint32(b[24:]),
		ExpCmdSN: binary.BigEndian.Uint32(b[28:]),
		MaxCmdSN: binary.BigEndian.Uint32(b[32:]),
		Data:     p.Data,
	}, nil
}

func textFlags(final, cont bool) byte {
	var f byte
	if final {
		f |= finalBit
	}
	if cont {
		f |= continueBit
	}
	return f
}

func opcodeByte(op Opcode, immediate bool) byte {
	if immediate {
		return byte(op) | immediateBit
	}
	return byte(op)
}

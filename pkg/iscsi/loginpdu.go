package iscsi

import (
	"encoding/binary"
	"fmt"
)

// Stage is a stage of the login phase, CSG and NSG in the headers (RFC 7143 11.12.3). The value 2
// is not used.
type Stage uint8

// The stages of a login (RFC 7143 11.12.3).
const (
	StageSecurity    Stage = 0
	StageOperational Stage = 1
	StageFullFeature Stage = 3
)

// String returns the name of the stage in words.
func (s Stage) String() string {
	switch s {
	case StageSecurity:
		return "security stage"
	case StageOperational:
		return "operational stage"
	case StageFullFeature:
		return "full feature phase"
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// Bits of byte 0 and byte 1 of the login PDUs (RFC 7143 11.12, 11.13).
const (
	immediateBit = 0x40
	transitBit   = 0x80
	continueBit  = 0x40
	csgShift     = 2
	stageMask    = 0x03
)

// LoginRequest is the header and text of one Login Request (RFC 7143 11.12). It is always an
// immediate PDU.
type LoginRequest struct {
	// Transit is the T bit: the initiator leaves CSG. NSG is valid only with it, and it
	// excludes Continue.
	Transit bool
	// Continue is the C bit: the text goes on in the next request.
	Continue   bool
	CSG, NSG   Stage
	VersionMax uint8
	VersionMin uint8
	ISID       [6]byte
	TSIH       uint16
	ITT        uint32
	CID        uint16
	CmdSN      uint32
	ExpStatSN  uint32
	// Data is the text, at most LoginDataLen bytes.
	Data []byte
}

// PDU encodes the request. The PDU shares Data with it.
func (r *LoginRequest) PDU() (*PDU, error) {
	p := &PDU{Data: r.Data}
	b := &p.BHS
	b[0] = byte(OpLoginRequest) | immediateBit
	b[1] = loginFlags(r.Transit, r.Continue, r.CSG, r.NSG)
	b[2], b[3] = r.VersionMax, r.VersionMin
	copy(b[8:14], r.ISID[:])
	binary.BigEndian.PutUint16(b[14:], r.TSIH)
	binary.BigEndian.PutUint32(b[16:], r.ITT)
	binary.BigEndian.PutUint16(b[20:], r.CID)
	binary.BigEndian.PutUint32(b[24:], r.CmdSN)
	binary.BigEndian.PutUint32(b[28:], r.ExpStatSN)
	return p, p.SetLengths()
}

// ParseLoginRequest decodes a Login Request: as a target does. The request shares Data with the
// PDU.
func ParseLoginRequest(p *PDU) (*LoginRequest, error) {
	if err := checkLoginPDU(p, OpLoginRequest, "11.12"); err != nil {
		return nil, err
	}
	b := &p.BHS
	r := &LoginRequest{
		VersionMax: b[2], VersionMin: b[3],
		ISID:      [6]byte(b[8:14]),
		TSIH:      binary.BigEndian.Uint16(b[14:]),
		ITT:       p.ITT(),
		CID:       binary.BigEndian.Uint16(b[20:]),
		CmdSN:     binary.BigEndian.Uint32(b[24:]),
		ExpStatSN: binary.BigEndian.Uint32(b[28:]),
		Data:      p.Data,
	}
	r.Transit, r.Continue, r.CSG, r.NSG = parseLoginFlags(b[1])
	return r, nil
}

// LoginResponse is the header and text of one Login Response (RFC 7143 11.13).
type LoginResponse struct {
	// Transit is the T bit: the target agrees to go on to NSG.
	Transit bool
	// Continue is the C bit: the text goes on in the next response.
	Continue      bool
	CSG, NSG      Stage
	VersionMax    uint8
	VersionActive uint8
	ISID          [6]byte
	TSIH          uint16
	ITT           uint32
	StatSN        uint32
	ExpCmdSN      uint32
	MaxCmdSN      uint32
	StatusClass   uint8
	StatusDetail  uint8
	// Data is the text, at most LoginDataLen bytes.
	Data []byte
}

// PDU encodes the response, as a target does. The PDU shares Data with it.
func (r *LoginResponse) PDU() (*PDU, error) {
	p := &PDU{Data: r.Data}
	b := &p.BHS
	b[0] = byte(OpLoginResponse)
	b[1] = loginFlags(r.Transit, r.Continue, r.CSG, r.NSG)
	b[2], b[3] = r.VersionMax, r.VersionActive
	copy(b[8:14], r.ISID[:])
	binary.BigEndian.PutUint16(b[14:], r.TSIH)
	binary.BigEndian.PutUint32(b[16:], r.ITT)
	binary.BigEndian.PutUint32(b[24:], r.StatSN)
	binary.BigEndian.PutUint32(b[28:], r.ExpCmdSN)
	binary.BigEndian.PutUint32(b[32:], r.MaxCmdSN)
	b[36], b[37] = r.StatusClass, r.StatusDetail
	return p, p.SetLengths()
}

// ParseLoginResponse decodes a Login Response. Another opcode, an additional header, or more than
// LoginDataLen bytes of data is a *ProtocolError. The response shares Data with the PDU.
func ParseLoginResponse(p *PDU) (*LoginResponse, error) {
	if err := checkLoginPDU(p, OpLoginResponse, "11.13"); err != nil {
		return nil, err
	}
	b := &p.BHS
	r := &LoginResponse{
		VersionMax: b[2], VersionActive: b[3],
		ISID:        [6]byte(b[8:14]),
		TSIH:        binary.BigEndian.Uint16(b[14:]),
		ITT:         p.ITT(),
		StatSN:      binary.BigEndian.Uint32(b[24:]),
		ExpCmdSN:    binary.BigEndian.Uint32(b[28:]),
		MaxCmdSN:    binary.BigEndian.Uint32(b[32:]),
		StatusClass: b[36], StatusDetail: b[37],
		Data: p.Data,
	}
	r.Transit, r.Continue, r.CSG, r.NSG = parseLoginFlags(b[1])
	return r, nil
}

func loginFlags(transit, cont bool, csg, nsg Stage) byte {
	f := byte(csg)&stageMask<<csgShift | byte(nsg)&stageMask
	if transit {
		f |= transitBit
	}
	if cont {
		f |= continueBit
	}
	return f
}

func parseLoginFlags(f byte) (transit, cont bool, csg, nsg Stage) {
	return f&transitBit != 0, f&continueBit != 0, Stage(f >> csgShift & stageMask), Stage(f & stageMask)
}

package iscsi

import (
	"encoding/binary"
	"fmt"
)

// LogoutReason is what a Logout Request closes (RFC 7143 11.14.1).
type LogoutReason uint8

// The reasons of RFC 7143 11.14.1.
const (
	LogoutSession    LogoutReason = 0
	LogoutConnection LogoutReason = 1
	LogoutRecovery   LogoutReason = 2
)

// LogoutRequest is one Logout Request (RFC 7143 11.14).
type LogoutRequest struct {
	Immediate bool
	Reason    LogoutReason
	ITT       uint32
	// CID is the connection to close, if the reason is not LogoutSession.
	CID       uint16
	CmdSN     uint32
	ExpStatSN uint32
}

// PDU encodes the request.
func (r *LogoutRequest) PDU() *PDU {
	p := new(PDU)
	b := &p.BHS
	b[0], b[1] = opcodeByte(OpLogoutRequest, r.Immediate), finalBit|byte(r.Reason)
	binary.BigEndian.PutUint32(b[16:], r.ITT)
	binary.BigEndian.PutUint16(b[20:], r.CID)
	binary.BigEndian.PutUint32(b[24:], r.CmdSN)
	binary.BigEndian.PutUint32(b[28:], r.ExpStatSN)
	return p
}

// ParseLogoutRequest decodes a Logout Request, as a target does.
func ParseLogoutRequest(p *PDU) (*LogoutRequest, error) {
	if err := checkBare(p, OpLogoutRequest, "11.14"); err != nil {
		return nil, err
	}
	b := &p.BHS
	return &LogoutRequest{
		Immediate: b[0]&immediateBit != 0,
		Reason:    LogoutReason(b[1] &^ finalBit),
		ITT:       p.ITT(),
		CID:       binary.BigEndian.Uint16(b[20:]),
		CmdSN:     binary.BigEndian.Uint32(b[24:]),
		ExpStatSN: binary.BigEndian.Uint32(b[28:]),
	}, nil
}

// LogoutResponse is one Logout Response (RFC 7143 11.15).
type LogoutResponse struct {
	// Response is 0 for success; see LogoutError for the others.
	Response uint8
	ITT      uint32
	StatSN   uint32
	ExpCmdSN uint32
	MaxCmdSN uint32
	// Time2Wait and Time2Retain are in seconds (11.15.3, 11.15.4).
	Time2Wait, Time2Retain uint16
}

// PDU encodes the response, as a target does.
func (r *LogoutResponse) PDU() *PDU {
	p := new(PDU)
	b := &p.BHS
	b[0], b[1], b[2] = byte(OpLogoutResponse), finalBit, r.Response
	binary.BigEndian.PutUint32(b[16:], r.ITT)
	binary.BigEndian.PutUint32(b[24:], r.StatSN)
	binary.BigEndian.PutUint32(b[28:], r.ExpCmdSN)
	binary.BigEndian.PutUint32(b[32:], r.MaxCmdSN)
	binary.BigEndian.PutUint16(b[40:], r.Time2Wait)
	binary.BigEndian.PutUint16(b[42:], r.Time2Retain)
	return p
}

// ParseLogoutResponse decodes a Logout Response.
func ParseLogoutResponse(p *PDU) (*LogoutResponse, error) {
	if err := checkBare(p, OpLogoutResponse, "11.15"); err != nil {
		return nil, err
	}
	b := &p.BHS
	return &LogoutResponse{
		Response:    b[2],
		ITT:         p.ITT(),
		StatSN:      binary.BigEndian.Uint32(b[24:]),
		ExpCmdSN:    binary.BigEndian.Uint32(b[28:]),
		MaxCmdSN:    binary.BigEndian.Uint32(b[32:]),
		Time2Wait:   binary.BigEndian.Uint16(b[40:]),
		Time2Retain: binary.BigEndian.Uint16(b[42:]),
	}, nil
}

// LogoutError is a logout that the target refused: the response of RFC 7143 11.15.1.
type LogoutError uint8

func (e LogoutError) Error() string {
	words := "response code not in RFC 7143"
	switch e {
	case 1:
		words = "connection not found"
	case 2:
		words = "connection recovery is not supported"
	case 3:
		words = "clean-up failed"
	}
	return fmt.Sprintf("logout refused (%d): %s", uint8(e), words)
}

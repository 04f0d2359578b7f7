package iscsi

import (
	"context"
	"fmt"
)

// loginITT is the Initiator Task Tag of all requests of a login (RFC 7143 11.12). Only one is
// outstanding, so any value but 0xffffffff will do.
const loginITT = 0

// sectionReject of RFC 7143 is that of the PDU Reject.
const sectionReject = "11.17"

// driver sends Login Requests and verifies the headers of the responses.
type driver struct {
	pipe Pipe
	cfg  *LoginConfig
	res  *Result
	// accepted counts the responses with status success.
	accepted int
	// strayed is set after the first gap in StatSN.
	strayed bool
}

// exchange sends one text, in as many requests as it takes, and gathers the text of the answer, in
// as many responses as it takes (RFC 7143 6.2, 11.12.2). left reports that the target agreed to
// leave the stage.
func (d *driver) exchange(ctx context.Context, current, next Stage, text []byte, ready bool) (answer []byte, left bool, err error) {
	req := LoginRequest{CSG: current}
	for len(text) > LoginDataLen {
		req.Continue, req.Data = true, text[:LoginDataLen]
		resp, err := d.roundTrip(ctx, &req)
		if err != nil {
			return nil, false, err
		}
		if resp.Continue || len(resp.Data) != 0 {
			return nil, false, protocolErrorf("6.2", "text before the request was complete")
		}
		text = text[LoginDataLen:]
	}
	req.Continue, req.Data, req.Transit = false, text, ready
	if ready {
		req.NSG = next
	}
	resp, err := d.roundTrip(ctx, &req)
	if err != nil {
		return nil, false, err
	}
	answer = resp.Data
	for pdus := 1; resp.Continue; pdus++ {
		if pdus == maxTextPDUs || len(answer) > maxTextLen {
			return nil, false, protocolErrorf("6.2", "text of more than %d PDUs or %d bytes", maxTextPDUs, maxTextLen)
		}
		if resp, err = d.roundTrip(ctx, &LoginRequest{CSG: current}); err != nil {
			return nil, false, err
		}
		answer = append(answer, resp.Data...)
	}
	return answer, resp.Transit, nil
}

// roundTrip fills the header of req, sends it and waits for its response.
func (d *driver) roundTrip(ctx context.Context, req *LoginRequest) (*LoginResponse, error) {
	req.ISID, req.CID, req.CmdSN = d.cfg.ISID, d.cfg.CID, d.cfg.CmdSN
	req.ITT, req.ExpStatSN = loginITT, d.res.ExpStatSN
	p, err := req.PDU()
	if err != nil {
		return nil, err
	}
	if err := d.pipe.Send(ctx, p); err != nil {
		return nil, fmt.Errorf("send request %d (%v): %w", d.accepted+1, req.CSG, err)
	}
	p, err = d.pipe.Receive(ctx)
	if err != nil {
		return nil, fmt.Errorf("receive response %d (%v): %w", d.accepted+1, req.CSG, err)
	}
	resp, err := d.parse(p)
	if err != nil {
		return nil, err
	}
	if err := d.check(req, resp); err != nil {
		return nil, err
	}
	d.note(resp)
	return resp, nil
}

// parse decodes a received PDU; the error names one that is not allowed.
func (d *driver) parse(p *PDU) (*LoginResponse, error) {
	switch p.Opcode() {
	case OpReject:
		return nil, protocolErrorf(sectionReject, "Reject during login: %v", ParseReject(p))
	case OpAsyncMessage:
		return nil, protocolErrorf("6.3", "Asynchronous Message during login: %v", ParseAsyncMessage(p).Event)
	}
	return ParseLoginResponse(p)
}

// check verifies a response against its request (RFC 7143 11.13).
func (d *driver) check(req *LoginRequest, resp *LoginResponse) error {
	switch {
	case resp.ITT != req.ITT:
		return protocolErrorf("11.13", "response to task tag 0x%08x, the request had 0x%08x", resp.ITT, req.ITT)
	case resp.StatusClass != classSuccess:
		return statusError(resp)
	case resp.VersionActive != 0:
		return protocolErrorf("11.13.2", "active version %d, only version 0 is supported", resp.VersionActive)
	case resp.CSG != req.CSG:
		return protocolErrorf("11.13", "response in the %v to a request in the %v", resp.CSG, req.CSG)
	case resp.Transit && resp.Continue:
		return protocolErrorf("11.13.7", "both T and C bit in one response")
	case resp.Transit && !req.Transit:
		return protocolErrorf("11.13.6", "T bit in the response, but not in the request")
	case resp.Transit && resp.NSG != req.NSG:
		return protocolErrorf("11.13.6", "response leads to the %v, the request asked for the %v", resp.NSG, req.NSG)
	}
	return nil
}

// note stores the sequence numbers and the session of a valid response.
func (d *driver) note(resp *LoginResponse) {
	if d.accepted > 0 && resp.StatSN != d.res.ExpStatSN && !d.strayed {
		d.strayed = true
		d.warnf("target's StatSN is %d, expected %d", resp.StatSN, d.res.ExpStatSN)
	}
	if d.accepted == 0 && resp.ISID != d.cfg.ISID && resp.ISID != [6]byte{} {
		d.warnf("target answered with ISID %x, the request has %x", resp.ISID, d.cfg.ISID)
	}
	d.accepted++
	r := d.res
	r.ExpStatSN = resp.StatSN + 1
	r.ExpCmdSN, r.MaxCmdSN = resp.ExpCmdSN, resp.MaxCmdSN
	r.TSIH = resp.TSIH
}

func (d *driver) warnf(format string, args ...any) {
	d.res.Warnings = append(d.res.Warnings, fmt.Sprintf(format, args...))
}

// statusError returns the error of a response whose status is not success. The RFC allows several
// addresses in a redirect (11.13.5).
func statusError(resp *LoginResponse) error {
	e := &StatusError{Class: resp.StatusClass, Detail: resp.StatusDetail}
	if e.Class != classRedirect {
		return e
	}
	pairs, err := ParseText(resp.Data)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if p.Key != "TargetAddress" {
			continue
		}
		a, err := ParseTargetAddress(p.Value)
		if err != nil {
			return protocolErrorf("13.8", "redirect: %v", err)
		}
		e.Addresses = append(e.Addresses, a)
	}
	if len(e.Addresses) == 0 {
		return protocolErrorf("11.13.5", "redirect (%04x) without a TargetAddress", e.Code())
	}
	return e
}

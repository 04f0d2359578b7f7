package iscsi

import (
	"context"
	"fmt"
)

// maxStray bounds the PDUs that may precede the expected one.
const maxStray = 64

// fullFeature exchanges text and logs out after a login on the same pipe.
type fullFeature struct {
	pipe      Pipe
	cmdSN     uint32
	expStatSN uint32
	// task counts the task tags used.
	task uint32
}

// text sends one text and gathers the answer, in as many responses as it takes (RFC 7143 11.10,
// 11.11).
func (f *fullFeature) text(ctx context.Context, text []byte) ([]byte, error) {
	f.task++
	req := TextRequest{Immediate: true, Final: true, ITT: f.task, TTT: reservedTag, CmdSN: f.cmdSN, Data: text}
	var answer []byte
	for range maxDiscoveryPDUs {
		req.ExpStatSN = f.expStatSN
		p, err := req.PDU()
		if err != nil {
			return nil, err
		}
		if p, err = f.exchange(ctx, p, OpTextResponse); err != nil {
			return nil, err
		}
		resp, err := ParseTextResponse(p)
		if err != nil {
			return nil, err
		}
		if err := f.checkText(&req, resp); err != nil {
			return nil, err
		}
		if answer = append(answer, resp.Data...); len(answer) > maxDiscoveryText {
			return nil, protocolErrorf("6.2", "text of more than %d bytes", maxDiscoveryText)
		}
		if resp.Final {
			return answer, nil
		}
		// An empty request with the target's tag asks for the rest (11.10.4).
		req.TTT, req.LUN, req.Data = resp.TTT, resp.LUN, nil
	}
	return nil, protocolErrorf("6.2", "text of more than %d PDUs", maxDiscoveryPDUs)
}

// checkText verifies the header of a Text Response (RFC 7143 11.11).
func (f *fullFeature) checkText(req *TextRequest, resp *TextResponse) error {
	switch {
	case resp.ITT != req.ITT:
		return protocolErrorf("11.11", "response to task tag 0x%08x, the request had 0x%08x", resp.ITT, req.ITT)
	case resp.Final && resp.Continue:
		return protocolErrorf("11.11", "both F and C bit in one response")
	case resp.Final && resp.TTT != reservedTag:
		return protocolErrorf("11.11.4", "final response with transfer tag 0x%08x", resp.TTT)
	case !resp.Final && resp.TTT == reservedTag:
		return protocolErrorf("11.11.4", "response without a transfer tag that is not the last one")
	}
	f.expStatSN = resp.StatSN + 1
	return nil
}

// exchange sends p and waits for a PDU with the opcode want; pings of the target are answered
// meanwhile.
func (f *fullFeature) exchange(ctx context.Context, p *PDU, want Opcode) (*PDU, error) {
	if err := f.pipe.Send(ctx, p); err != nil {
		return nil, fmt.Errorf("send %v: %w", p.Opcode(), err)
	}
	for range maxStray {
		p, err := f.pipe.Receive(ctx)
		if err != nil {
			return nil, fmt.Errorf("receive %v: %w", want, err)
		}
		switch p.Opcode() {
		case want:
			return p, nil
		case OpNOPIn:
			if err := f.answerPing(ctx, p); err != nil {
				return nil, err
			}
		case OpReject:
			return nil, protocolErrorf("11.17", "Reject instead of a %v: %v", want, ParseReject(p))
		case OpAsyncMessage:
			return nil, protocolErrorf("11.9", "Asynchronous Message instead of a %v: %v", want, ParseAsyncMessage(p).Event)
		default:
			return nil, protocolErrorf("11.2", "%v instead of a %v", p.Opcode(), want)
		}
	}
	return nil, protocolErrorf("11.19", "more than %d NOP-Ins instead of a %v", maxStray-1, want)
}

// answerPing answers a NOP-In that requests an answer (RFC 7143 11.18, 11.19).
func (f *fullFeature) answerPing(ctx context.Context, p *PDU) error {
	ping, err := ParseNOPIn(p)
	if err != nil || ping.TTT == reservedTag {
		return err
	}
	out, err := (&NOPOut{Immediate: true, LUN: ping.LUN, ITT: reservedTag, TTT: ping.TTT, CmdSN: f.cmdSN, ExpStatSN: f.expStatSN}).PDU()
	if err != nil {
		return err
	}
	if err := f.pipe.Send(ctx, out); err != nil {
		return fmt.Errorf("send %v: %w", OpNOPOut, err)
	}
	return nil
}

// logout fills in the numbers of req, sends it and waits for the response.
func (f *fullFeature) logout(ctx context.Context, req LogoutRequest) (LogoutResponse, error) {
	f.task++
	req.Immediate, req.ITT, req.CmdSN, req.ExpStatSN = true, f.task, f.cmdSN, f.expStatSN
	p, err := f.exchange(ctx, req.PDU(), OpLogoutResponse)
	if err != nil {
		return LogoutResponse{}, err
	}
	resp, err := ParseLogoutResponse(p)
	if err != nil {
		return LogoutResponse{}, err
	}
	switch {
	case resp.ITT != req.ITT:
		return *resp, protocolErrorf("11.15", "response to task tag 0x%08x, the request had 0x%08x", resp.ITT, req.ITT)
	case resp.Response != 0:
		return *resp, LogoutError(resp.Response)
	}
	return *resp, nil
}

// Logout ends a session whose login was on the same pipe and on which nothing else was sent since
// (RFC 7143 11.14). Reason and CID of req are the caller's, CmdSN and ExpStatSN are those of the
// login's configuration and Result; the rest is filled in. A refusal is a LogoutError.
func Logout(ctx context.Context, p Pipe, req LogoutRequest) (LogoutResponse, error) {
	f := &fullFeature{pipe: p, cmdSN: req.CmdSN, expStatSN: req.ExpStatSN}
	resp, err := f.logout(ctx, req)
	if err != nil {
		return resp, fmt.Errorf("logout: %w", err)
	}
	return resp, nil
}

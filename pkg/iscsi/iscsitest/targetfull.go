package iscsitest

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// noTag is a task or transfer tag that names nothing.
const noTag = 0xffffffff

// ping answers a NOP-Out that requests a response (RFC 7143 11.18).
func (c *connection) ping(p *iscsi.PDU) error {
	n, err := iscsi.ParseNOPOut(p)
	if err != nil || n.ITT == noTag {
		return err
	}
	in, err := (&iscsi.NOPIn{LUN: n.LUN, ITT: n.ITT, TTT: noTag, StatSN: c.nextStatSN(), ExpCmdSN: c.cmdSN, MaxCmdSN: c.maxCmdSN(), Data: n.Data}).PDU()
	if err != nil {
		return err
	}
	return c.write(in)
}

// text answers SendTargets (RFC 7143 appendix C), in parts if it is long.
func (c *connection) text(p *iscsi.PDU) error {
	req, err := iscsi.ParseTextRequest(p)
	if err != nil {
		return err
	}
	pairs, err := iscsi.ParseText(req.Data)
	if err != nil {
		return err
	}
	if len(pairs) != 1 || pairs[0].Key != "SendTargets" || req.TTT != noTag {
		return fmt.Errorf("text of %d pairs and transfer tag 0x%08x, want SendTargets", len(pairs), req.TTT)
	}
	text := c.targets(pairs[0].Value)
	part := c.target.Part
	if part <= 0 || part > iscsi.LoginDataLen {
		part = iscsi.LoginDataLen
	}
	for tag := uint32(1); len(text) > part; tag++ {
		if err := c.sendText(req, &iscsi.TextResponse{Continue: true, TTT: tag, Data: text[:part]}); err != nil {
			return err
		}
		text = text[part:]
		if p, err = c.receive(); err != nil {
			return err
		}
		again, err := iscsi.ParseTextRequest(p)
		if err != nil {
			return err
		}
		if again.ITT != req.ITT || again.TTT != tag || len(again.Data) != 0 {
			return fmt.Errorf("text request with tags 0x%08x and 0x%08x does not ask for the rest", again.ITT, again.TTT)
		}
	}
	return c.sendText(req, &iscsi.TextResponse{Final: true, TTT: noTag, Data: text})
}

// targets returns the targets that a SendTargets requests.
func (c *connection) targets(what string) []byte {
	t := c.target
	if t.Name == "" || what != "All" && what != t.Name {
		return nil
	}
	pairs := []string{"TargetName=" + t.Name}
	for _, a := range t.Portals {
		pairs = append(pairs, "TargetAddress="+a)
	}
	return Join(pairs...)
}

func (c *connection) sendText(req *iscsi.TextRequest, resp *iscsi.TextResponse) error {
	resp.ITT, resp.StatSN, resp.ExpCmdSN, resp.MaxCmdSN = req.ITT, c.nextStatSN(), c.cmdSN, c.maxCmdSN()
	p, err := resp.PDU()
	if err != nil {
		return err
	}
	return c.write(p)
}

// logout answers and ends the connection.
func (c *connection) logout(p *iscsi.PDU) error {
	req, err := iscsi.ParseLogoutRequest(p)
	if err != nil {
		return err
	}
	return c.write((&iscsi.LogoutResponse{ITT: req.ITT, StatSN: c.nextStatSN(), ExpCmdSN: c.cmdSN, MaxCmdSN: c.maxCmdSN()}).PDU())
}

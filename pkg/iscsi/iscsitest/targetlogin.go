package iscsitest

import (
	"fmt"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// login serves the login phase.
func (c *connection) login() error {
	admitted := c.target.admit()
	if admitted {
		defer c.target.leave()
	}
	c.names, c.seen = map[string]string{}, map[string]bool{}
	for {
		req, pairs, err := c.request()
		if err != nil {
			return err
		}
		if !admitted {
			return c.full(req)
		}
		if err := c.opening(req, pairs); err != nil {
			return err
		}
		answer, transit, err := c.answerText(req, pairs)
		if err != nil {
			return err
		}
		if transit, err = c.respond(req, answer, transit); err != nil {
			return err
		}
		if transit && req.NSG == iscsi.StageFullFeature {
			c.cmdSN = req.CmdSN
			return nil
		}
	}
}

func (c *connection) full(req *iscsi.LoginRequest) error {
	if c.target.Full == 0 {
		return errRefused
	}
	return c.refuse(req, c.target.Full)
}

// request gathers a text that may come in parts (RFC 7143 6.2).
func (c *connection) request() (*iscsi.LoginRequest, []iscsi.Pair, error) {
	var text []byte
	for {
		req, err := c.receiveLogin()
		if err != nil {
			return nil, nil, err
		}
		text = append(text, req.Data...)
		if !req.Continue {
			pairs, err := iscsi.ParseText(text)
			return req, pairs, err
		}
		if _, err := c.respond(req, nil, false); err != nil {
			return nil, nil, err
		}
	}
}

// receiveLogin returns the next Login Request if its header is right.
func (c *connection) receiveLogin() (*iscsi.LoginRequest, error) {
	p, err := c.receive()
	if err != nil {
		return nil, err
	}
	req, err := iscsi.ParseLoginRequest(p)
	if err != nil {
		return nil, err
	}
	return req, c.checkHeader(req)
}

// checkHeader checks a request against RFC 7143 11.12.
func (c *connection) checkHeader(req *iscsi.LoginRequest) error {
	c.requests++
	if c.first == nil {
		c.first, c.statSN = req, req.ExpStatSN
	}
	f := c.first
	switch {
	case req.Transit && req.Continue:
		return fmt.Errorf("request %d: both T and C bit", c.requests)
	case !req.Transit && req.NSG != 0:
		return fmt.Errorf("request %d: NSG %d without T bit", c.requests, req.NSG)
	case req.Transit && req.NSG <= req.CSG:
		return fmt.Errorf("request %d: from stage %d to %d", c.requests, req.CSG, req.NSG)
	case req.CSG < f.CSG:
		return fmt.Errorf("request %d: back to stage %d", c.requests, req.CSG)
	case req.ITT != f.ITT || req.CID != f.CID || req.ISID != f.ISID || req.CmdSN != f.CmdSN || req.TSIH != 0:
		return fmt.Errorf("request %d: ITT, CID, ISID, CmdSN or TSIH changed", c.requests)
	case req.ExpStatSN != c.statSN:
		return fmt.Errorf("request %d: ExpStatSN %d, want %d", c.requests, req.ExpStatSN, c.statSN)
	}
	return nil
}

// opening handles the keys that the initiator declares in its first request only, and decides
// whether it may log in.
func (c *connection) opening(req *iscsi.LoginRequest, pairs []iscsi.Pair) error {
	begins := len(c.names) == 0
	for _, p := range pairs {
		if c.seen[p.Key] {
			return fmt.Errorf("key %s a second time", p.Key)
		}
		c.seen[p.Key] = true
		switch p.Key {
		case "InitiatorName", "TargetName", "SessionType", "InitiatorAlias":
			if !begins {
				return fmt.Errorf("%s is not in the first request", p.Key)
			}
			c.names[p.Key] = p.Value
		}
	}
	if !begins {
		return nil
	}
	c.discovery = c.names["SessionType"] == "Discovery"
	return c.authorize(req)
}

// authorize refuses initiators that may not log in.
func (c *connection) authorize(req *iscsi.LoginRequest) error {
	t, name := c.target, c.names["InitiatorName"]
	switch {
	case name == "", !c.discovery && c.names["TargetName"] == "":
		return c.refuse(req, iscsi.StatusMissingParameter)
	case len(t.Initiators) > 0 && !slices.Contains(t.Initiators, name):
		return c.refuse(req, iscsi.StatusNotAuthorized)
	case !c.discovery && t.Name != "" && c.names["TargetName"] != t.Name:
		return c.refuse(req, iscsi.StatusNotFound)
	case !c.discovery && t.Redirect != "" && t.Permanent:
		return c.refuse(req, iscsi.StatusMovedPermanently, "TargetAddress="+t.Redirect)
	case !c.discovery && t.Redirect != "":
		return c.refuse(req, iscsi.StatusMovedTemporarily, "TargetAddress="+t.Redirect)
	case t.Security != 0 && req.CSG != iscsi.StageSecurity:
		return c.refuse(req, t.Security)
	case t.Auth != nil && req.CSG != iscsi.StageSecurity:
		return c.refuse(req, iscsi.StatusAuthFailure)
	}
	return nil
}

// answerText returns the answer to a complete text.
func (c *connection) answerText(req *iscsi.LoginRequest, pairs []iscsi.Pair) (answer []string, transit bool, err error) {
	if c.requests == 1 || req.CSG == iscsi.StageSecurity && c.auth == nil {
		if !c.discovery {
			answer = append(answer, fmt.Sprintf("TargetPortalGroupTag=%d", c.target.TPGT))
		}
	}
	if req.CSG == iscsi.StageSecurity {
		if c.auth == nil {
			c.auth = &authentication{auth: c.target.Auth}
		}
		say, done, err := c.auth.answer(pairs)
		switch {
		case err == errClosed:
			return nil, false, errRefused
		case err != nil:
			return nil, false, c.refuse(req, err.status)
		}
		return append(answer, say...), req.Transit && done, nil
	}
	switch status := c.target.digestStatus(pairs); status {
	case 0:
	case Closes:
		return nil, false, errRefused
	default:
		return nil, false, c.refuse(req, status)
	}
	say, nerr := c.target.negotiate(pairs, c.discovery)
	c.digests = map[string]bool{}
	for _, s := range say {
		c.digests[s] = true
	}
	return append(answer, say...), req.Transit, nerr
}

// respond sends one text, in parts if it is long, and reports whether the stage is left with it.
func (c *connection) respond(req *iscsi.LoginRequest, pairs []string, transit bool) (bool, error) {
	text := Join(pairs...)
	part := c.target.Part
	if part <= 0 || part > iscsi.LoginDataLen {
		part = iscsi.LoginDataLen
	}
	for len(text) > part {
		if err := c.send(req, &iscsi.LoginResponse{Continue: true, Data: text[:part]}); err != nil {
			return false, err
		}
		text = text[part:]
		again, err := c.receiveLogin()
		if err != nil {
			return false, err
		}
		if again.Continue || again.Transit && !req.Transit || len(again.Data) != 0 {
			return false, fmt.Errorf("request %d: not the empty one that a C bit asks for", c.requests)
		}
		// The stage is left by the answer to a request that has the T bit.
		transit = transit && again.Transit
	}
	resp := &iscsi.LoginResponse{Transit: transit, Data: text}
	if transit {
		resp.NSG = req.NSG
	}
	return transit, c.send(req, resp)
}

// refuse sends a status and ends the connection.
func (c *connection) refuse(req *iscsi.LoginRequest, code iscsi.Status, pairs ...string) error {
	resp := &iscsi.LoginResponse{StatusClass: uint8(code >> 8), StatusDetail: uint8(code), Data: Join(pairs...)}
	if err := c.send(req, resp); err != nil {
		return err
	}
	return errRefused
}

func (c *connection) send(req *iscsi.LoginRequest, resp *iscsi.LoginResponse) error {
	resp.CSG, resp.ISID, resp.ITT = req.CSG, req.ISID, req.ITT
	resp.StatSN, resp.ExpCmdSN, resp.MaxCmdSN = c.nextStatSN(), req.CmdSN, req.CmdSN+31
	if resp.Transit && resp.NSG == iscsi.StageFullFeature {
		resp.TSIH = 1
	}
	p, err := resp.PDU()
	if err != nil {
		return err
	}
	return Write(c.conn, p)
}

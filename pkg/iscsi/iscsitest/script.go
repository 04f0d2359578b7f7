// Package iscsitest holds iSCSI targets for tests: a correct one, and many that are not.
//
// A [Target] authenticates, negotiates, redirects, lists itself and checks that the initiator
// conforms to the RFC, over an in-memory connection or, with [Listen], over TCP; it has no disks. A
// [Script] is for answers that no real target sends, and for replaying recorded ones: a list of
// steps, each of which gets one PDU of the initiator and writes any bytes; after the last step the
// target closes the connection. [Login] prepares a correct Login Response and lets the test spoil
// it. [Scenarios] are the scripts of the worst peer, each with the outcome that a login must have.
package iscsitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Step answers one PDU of the initiator by writing to conn, or does not answer. An error ends the
// script.
type Step func(conn net.Conn, req *iscsi.PDU) error

// Script is the behaviour of a target: one step for each PDU that it receives.
type Script []Step

// ErrClose makes the target close the connection; a step returns it.
var ErrClose = errors.New("the script closes the connection")

// Serve runs the script on conn and closes it. It returns the PDUs that the initiator sent, and an
// error: nil if all steps ran or the script closed the connection itself, an error that wraps
// io.EOF if the initiator closed it before.
func (s Script) Serve(conn net.Conn) (requests []*iscsi.PDU, err error) {
	defer conn.Close()
	pipe := iscsi.NewTCPPipe(conn)
	for i, step := range s {
		req, err := pipe.Receive(context.Background())
		if err != nil {
			return requests, fmt.Errorf("step %d: %w", i+1, err)
		}
		requests = append(requests, req)
		switch err := step(conn, req); {
		case errors.Is(err, ErrClose):
			return requests, nil
		case err != nil:
			return requests, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return requests, nil
}

// Start runs the script at the far end of an in-memory connection and returns the near end. wait
// closes the near end, waits for the target to end, and returns what Serve did.
func (s Script) Start() (conn net.Conn, wait func() ([]*iscsi.PDU, error)) {
	near, far := net.Pipe()
	type outcome struct {
		requests []*iscsi.PDU
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		requests, err := s.Serve(far)
		done <- outcome{requests, err}
	}()
	return near, func() ([]*iscsi.PDU, error) {
		near.Close()
		o := <-done
		return o.requests, o.err
	}
}

// Login answers a Login Request. edit gets a correct response that agrees to whatever the request's
// header asks, has StatSN equal to the request's ExpStatSN and holds no text; it may change
// everything. A nil edit leaves it.
func Login(edit func(req *iscsi.LoginRequest, resp *iscsi.LoginResponse)) Step {
	return func(conn net.Conn, p *iscsi.PDU) error {
		req, err := iscsi.ParseLoginRequest(p)
		if err != nil {
			return err
		}
		resp := response(req)
		if edit != nil {
			edit(req, resp)
		}
		answer, err := resp.PDU()
		if err != nil {
			return err
		}
		return Write(conn, answer)
	}
}

// response is the plainest correct answer to a Login Request.
func response(req *iscsi.LoginRequest) *iscsi.LoginResponse {
	resp := &iscsi.LoginResponse{
		Transit: req.Transit, CSG: req.CSG, NSG: req.NSG,
		ISID: req.ISID, TSIH: req.TSIH, ITT: req.ITT,
		StatSN: req.ExpStatSN, ExpCmdSN: req.CmdSN, MaxCmdSN: req.CmdSN + 31,
	}
	if resp.Transit && resp.NSG == iscsi.StageFullFeature && resp.TSIH == 0 {
		resp.TSIH = 1
	}
	return resp
}

// Text is a step that agrees with the request's header and sends these pairs, each written as
// key=value.
func Text(pairs ...string) Step {
	return Login(func(_ *iscsi.LoginRequest, resp *iscsi.LoginResponse) { resp.Data = Join(pairs...) })
}

// Status is a step that ends the login with a status, such as 0x0202, and these pairs.
func Status(code iscsi.Status, pairs ...string) Step {
	return Login(func(_ *iscsi.LoginRequest, resp *iscsi.LoginResponse) {
		resp.StatusClass, resp.StatusDetail = uint8(code>>8), uint8(code)
		resp.Transit, resp.NSG, resp.TSIH = false, 0, 0
		resp.Data = Join(pairs...)
	})
}

// Raw is a step that writes bytes as they are.
func Raw(b []byte) Step {
	return func(conn net.Conn, _ *iscsi.PDU) error {
		_, err := conn.Write(b)
		return err
	}
}

// Close is a step that closes the connection without an answer.
func Close() Step {
	return func(net.Conn, *iscsi.PDU) error { return ErrClose }
}

// Silence is a step that does not answer until the initiator closes the connection.
func Silence() Step {
	return func(conn net.Conn, _ *iscsi.PDU) error {
		if n, err := io.Copy(io.Discard, conn); err != nil || n != 0 {
			return fmt.Errorf("%d bytes from the initiator while it had to wait: %w", n, err)
		}
		return ErrClose
	}
}

// Write sends one PDU.
func Write(conn net.Conn, p *iscsi.PDU) error {
	b, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	_, err = conn.Write(b)
	return err
}

// Join writes pairs, each given as key=value, in their wire form.
func Join(pairs ...string) []byte {
	var b bytes.Buffer
	for _, p := range pairs {
		b.WriteString(p)
		b.WriteByte(0)
	}
	return b.Bytes()
}

package iscsi

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Idle is a session in full feature phase on which no command is sent: it answers the target's
// pings, sends pings, and logs out. Its methods must not be called concurrently. After one that the
// context ended the session can be used further if the pipe is a [TCPPipe].
type Idle struct{ f fullFeature }

// NewIdle continues after a login on the same pipe; cmdSN is that of the login's configuration.
func NewIdle(p Pipe, cmdSN uint32, r Result) *Idle {
	return &Idle{fullFeature{pipe: p, cmdSN: cmdSN, expStatSN: r.ExpStatSN}}
}

// Wait answers pings until the target ends the session, requests a logout, or sends a PDU that is
// not expected in a session without commands. The error is the cause, or ctx's.
func (i *Idle) Wait(ctx context.Context) error {
	for {
		p, err := i.f.pipe.Receive(ctx)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if err := i.handle(ctx, p); err != nil {
			return err
		}
	}
}

// Ping sends a NOP-Out and waits for its answer (RFC 7143 11.18, 11.19).
func (i *Idle) Ping(ctx context.Context) error {
	f := &i.f
	f.task++
	out, err := (&NOPOut{Immediate: true, ITT: f.task, TTT: reservedTag, CmdSN: f.cmdSN, ExpStatSN: f.expStatSN}).PDU()
	if err != nil {
		return err
	}
	if err := f.pipe.Send(ctx, out); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	for range maxStray {
		p, err := f.pipe.Receive(ctx)
		if err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		if in, err := ParseNOPIn(p); err == nil && in.ITT == f.task {
			f.expStatSN = in.StatSN + 1
			return nil
		}
		if err := i.handle(ctx, p); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
	}
	return protocolErrorf("11.19", "no answer to a ping among %d PDUs", maxStray)
}

// Logout ends the session (RFC 7143 11.14).
func (i *Idle) Logout(ctx context.Context) error {
	_, err := i.f.logout(ctx, LogoutRequest{Reason: LogoutSession})
	return err
}

// handle processes a PDU that was not requested. SCSI events, which concern logical units, are
// ignored.
func (i *Idle) handle(ctx context.Context, p *PDU) error {
	switch p.Opcode() {
	case OpNOPIn:
		return i.f.answerPing(ctx, p)
	case OpAsyncMessage:
		m := ParseAsyncMessage(p)
		if m.Event != AsyncSCSI {
			return fmt.Errorf("target sent: %v", m.Event)
		}
		i.f.expStatSN = binary.BigEndian.Uint32(p.BHS[24:]) + 1 // RFC 7143 11.9
		return nil
	case OpReject:
		return protocolErrorf("11.17", "Reject: %v", ParseReject(p))
	}
	return protocolErrorf("11.2", "%v in a session without commands", p.Opcode())
}

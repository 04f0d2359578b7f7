package iscsi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// Conn is the part of net.Conn that a TCPPipe uses. A deadline in the past has to end a pending
// call.
type Conn interface {
	io.Reader
	io.Writer
	SetDeadline(t time.Time) error
}

// TCPPipe frames PDUs on a byte stream (RFC 7143 11.2), without digests until [TCPPipe.SetDigests].
// After a Receive that its context ended it may be used further, unless a PDU was received in part:
// then every later call fails.
type TCPPipe struct {
	conn    Conn
	maxData int
	// headerDigest and dataDigest are the digests of the PDUs.
	headerDigest, dataDigest bool
	// expired is set when a context ended and left its deadline on conn.
	expired bool
	// partial is set when a PDU was read or written in part.
	partial bool
}

// errPartialPDU: the beginning of the next PDU is unknown.
var errPartialPDU = errors.New("an earlier PDU was incomplete")

// NewTCPPipe returns a pipe over conn that accepts data segments of up to LoginDataLen bytes. It
// does not close conn.
func NewTCPPipe(conn Conn) *TCPPipe {
	return &TCPPipe{conn: conn, maxData: LoginDataLen}
}

// Send writes p as one write, so that a small PDU is one TCP segment.
func (t *TCPPipe) Send(ctx context.Context, p *PDU) error {
	b, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	b = t.withDigests(b)
	return t.do(ctx, func() error {
		n, err := t.conn.Write(b)
		t.partial = t.partial || n > 0 && err != nil
		return err
	})
}

// Receive reads the next PDU. A data segment beyond the limit of the pipe is a *ProtocolError and
// is not read.
func (t *TCPPipe) Receive(ctx context.Context) (*PDU, error) {
	p := new(PDU)
	err := t.do(ctx, func() error { return t.read(p) })
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (t *TCPPipe) read(p *PDU) error {
	if n, err := io.ReadFull(t.conn, p.BHS[:]); err != nil {
		if n == 0 && err != io.EOF {
			return &brokenError{err}
		}
		t.partial = t.partial || n > 0
		return err
	}
	ahs, data := lengths(&p.BHS)
	t.partial = true // until all of it is there
	if data > t.maxData {
		return protocolErrorf("13.12", "%v with a data segment of %d bytes, limit %d", p.Opcode(), data, t.maxData)
	}
	head, err := t.rest(p, ahs+digestSize(t.headerDigest))
	if err == nil {
		head, err = verifyDigest(t.headerDigest, "header", p, p.BHS[:], head)
	}
	if err != nil {
		return err
	}
	if data > 0 {
		body, err := t.rest(p, data+pad(data)+digestSize(t.dataDigest))
		if err == nil {
			body, err = verifyDigest(t.dataDigest, "data", p, nil, body)
		}
		if err != nil {
			return err
		}
		p.Data = body[:data:data]
	}
	t.partial = false
	if ahs > 0 {
		p.AHS = head[:ahs:ahs]
	}
	return nil
}

// rest reads the next n bytes of a PDU after its header.
func (t *TCPPipe) rest(p *PDU, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(t.conn, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // after a header this is not a clean close
		}
		return nil, fmt.Errorf("%v: %w", p.Opcode(), err)
	}
	return b, nil
}

// brokenError is a connection that ended between two PDUs without a clean close, most likely by a
// TCP reset; it matches io.EOF.
type brokenError struct{ err error }

func (e *brokenError) Error() string        { return e.err.Error() }
func (e *brokenError) Unwrap() error        { return e.err }
func (e *brokenError) Is(target error) bool { return target == io.EOF }

// do runs one read or write of the connection and ends it when ctx ends. The context is watched
// instead of copying its deadline, so that a timeout is always reported as the context's error.
func (t *TCPPipe) do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.partial {
		return errPartialPDU
	}
	if t.expired {
		if err := t.conn.SetDeadline(time.Time{}); err != nil {
			return err
		}
		t.expired = false
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, contain.Func("the end of a call", func() {
		defer close(done)
		// A deadline in the past ends the pending call immediately; no clock is read. If
		// that fails, the connection has ended and the call returns anyway.
		_ = t.conn.SetDeadline(time.Unix(1, 0))
	}, func(error) {
		if c, ok := t.conn.(io.Closer); ok {
			_ = c.Close() // which ends the call too
		}
	}))
	err := f()
	if !stop() {
		<-done
		t.expired = true
		if err != nil {
			return ctx.Err()
		}
	}
	return err
}

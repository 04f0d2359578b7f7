package faultproxy

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// connection is one TCP connection, twice: side[d] is where the PDUs of direction d come from.
type connection struct {
	proxy  *Proxy
	number int
	side   [2]*net.TCPConn
	faults [2][]Fault
	once   sync.Once
	hole   chan struct{} // closed by BlackHole
	follow bool          // parse PDUs until the connection ends
	lag    time.Duration // see Proxy.Lag

	in   sync.Mutex         // guards what is written to the target while PDUs are parsed
	out  sync.Mutex         // guards what is written to the initiator while PDUs are parsed
	last [iscsi.BHSLen]byte // of the target's last response
	seen bool               // there was one
}

func (c *connection) close() {
	for _, s := range c.side {
		_ = s.Close()
	}
}

// pass forwards one direction. A nil error is the sender's orderly end, which has been forwarded.
func (c *connection) pass(ctx context.Context, d Direction) error {
	from, to := c.side[d], c.side[1-d]
	live := false
	for n := 1; ; n++ {
		pdu, err := readPDU(from)
		if err != nil {
			return c.end(to, pdu, err)
		}
		if n == 1 && d == ToTarget {
			c.note(pdu)
		}
		if err := c.forward(ctx, d, n, pdu); err != nil {
			return err
		}
		if isLogin(pdu) {
			continue
		}
		if d == ToTarget {
			c.proxy.received(!live)
			live = true
		}
		if !c.follow && !c.pending(d, n) {
			return c.copy(from, to)
		}
	}
}

// end forwards an end, and the part of a PDU received before it.
func (c *connection) end(to *net.TCPConn, part []byte, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if c.inHole() {
		return nil
	}
	if _, err := to.Write(part); err != nil {
		return err
	}
	return to.CloseWrite()
}

// copy passes the rest of a direction on as bytes, unless a black hole is in the way or opens
// later.
func (c *connection) copy(from, to *net.TCPConn) error {
	var sink io.Writer = to // not a wrapper: the kernel moves bytes between two TCP sockets by itself
	if len(c.faults[0])+len(c.faults[1]) > 0 {
		sink = writerFunc(func(b []byte) (int, error) {
			if c.inHole() {
				return len(b), nil
			}
			return to.Write(b)
		})
	}
	if _, err := io.Copy(sink, from); err != nil {
		return err
	}
	return c.end(to, nil, io.EOF)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (c *connection) inHole() bool {
	select {
	case <-c.hole:
		return true
	default:
		return false
	}
}

// pending reports whether a fault follows after the n-th PDU of a direction.
func (c *connection) pending(d Direction, n int) bool {
	for _, f := range c.faults[d] {
		if f.PDU > n {
			return true
		}
	}
	return false
}

// forward forwards the n-th PDU of a direction, with its faults.
func (c *connection) forward(ctx context.Context, d Direction, n int, pdu []byte) error {
	to := c.side[1-d]
	for _, f := range c.faults[d] {
		if f.PDU != n {
			continue
		}
		c.proxy.trigger()
		if f.Call != nil {
			f.Call()
		}
		switch f.Action {
		case Delay:
			if err := clock.Sleep(ctx, f.Pause); err != nil {
				return err
			}
		case Drop:
			return nil
		case Reset:
			for _, s := range c.side {
				_ = s.SetLinger(0)
			}
			return errOver
		case Close:
			return errOver
		case Truncate:
			_, err := to.Write(pdu[:iscsi.BHSLen/2])
			return errors.Join(err, errOver)
		case BlackHole:
			c.once.Do(func() { close(c.hole) })
		case Bytewise:
			return c.bytewise(ctx, to, pdu, f.Pause)
		}
	}
	if c.inHole() {
		return nil
	}
	if d == ToInitiator {
		pdu = c.proxy.answered(pdu)
		c.out.Lock()
		defer c.out.Unlock()
		if op := iscsi.Opcode(pdu[0] & 0x3f); op == iscsi.OpSCSIResponse || op == iscsi.OpNOPIn {
			c.last, c.seen = [iscsi.BHSLen]byte(pdu), true
		}
	}
	if d == ToTarget {
		return c.toTarget(ctx, to, pdu)
	}
	_, err := to.Write(pdu)
	return err
}

// toTarget writes a PDU to the target, late if it is one that lags. A ping is overtaken by what
// comes after it: it is immediate and does not advance CmdSN.
func (c *connection) toTarget(ctx context.Context, to *net.TCPConn, pdu []byte) error {
	write := func() error {
		c.in.Lock()
		defer c.in.Unlock()
		_, err := to.Write(pdu)
		return err
	}
	switch op := iscsi.Opcode(pdu[0] & 0x3f); {
	case c.lag == 0:
	case op == iscsi.OpNOPOut:
		c.proxy.running.Go(func() {
			if clock.Sleep(ctx, c.lag) == nil {
				_ = write() // the connection may have ended
			}
		})
		return nil
	case op == iscsi.OpLoginRequest:
		if err := clock.Sleep(ctx, c.lag); err != nil {
			return err
		}
	}
	return write()
}

func (c *connection) bytewise(ctx context.Context, to *net.TCPConn, pdu []byte, pause time.Duration) error {
	for i := range pdu {
		if c.inHole() {
			return nil
		}
		if _, err := to.Write(pdu[i : i+1]); err != nil { // Go sets TCP_NODELAY: each is a segment
			return err
		}
		if err := clock.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) note(pdu []byte) {
	if iscsi.Opcode(pdu[0]&0x3f) != iscsi.OpLoginRequest {
		return
	}
	c.proxy.note(Login{
		Connection: c.number, ISID: [6]byte(pdu[8:14]), TSIH: binary.BigEndian.Uint16(pdu[14:]), CmdSN: binary.BigEndian.Uint32(pdu[24:]),
	})
}

// readPDU reads a PDU without digests, padding included (RFC 7143 11.2). With an error it returns
// what came before that.
func readPDU(from io.Reader) ([]byte, error) {
	pdu := make([]byte, iscsi.BHSLen)
	if n, err := io.ReadFull(from, pdu); err != nil {
		return pdu[:n], err
	}
	data := int(pdu[5])<<16 | int(pdu[6])<<8 | int(pdu[7])
	pdu = append(pdu, make([]byte, int(pdu[4])*4+(data+3)&^3)...)
	n, err := io.ReadFull(from, pdu[iscsi.BHSLen:])
	return pdu[:iscsi.BHSLen+n], err
}

func isLogin(pdu []byte) bool {
	op := iscsi.Opcode(pdu[0] & 0x3f)
	return op == iscsi.OpLoginRequest || op == iscsi.OpLoginResponse
}

package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// echo sends back all it gets.
func echo(t *testing.T) Dialer {
	t.Helper()
	return serve(t, func(conn net.Conn) { _, _ = io.Copy(struct{ io.Writer }{conn}, conn) })
}

// serve calls f for each connection, and returns the address.
func serve(t *testing.T, f func(net.Conn)) Dialer {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				f(conn)
			}()
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.Addr().String())
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// through returns a proxy in front of echo, and a connection to it.
func through(t *testing.T, faults ...Fault) (*Proxy, *net.TCPConn) {
	t.Helper()
	p := Start(listen(t), echo(t), faults...)
	t.Cleanup(func() { _ = p.Close() })
	return p, connect(t, p)
}

func connect(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// pdu is a PDU with n bytes of data; the echo makes its own response of it.
func pdu(t *testing.T, op iscsi.Opcode, n int) []byte {
	t.Helper()
	p := iscsi.PDU{Data: bytes.Repeat([]byte{byte(n)}, n)}
	p.BHS[0], p.BHS[8] = byte(op), 0x80
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTransparent: logins, other PDUs, other bytes, and an end in the middle of a PDU arrive as
// they were sent.
func TestTransparent(t *testing.T) {
	random := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(random)
	login, other := pdu(t, iscsi.OpLoginRequest, 13), pdu(t, iscsi.OpSCSICommand, 70000)
	for name, sent := range map[string][]byte{
		"nothing":           nil,
		"login":             login,
		"half a login":      login[:50],
		"half a header":     login[:20],
		"three logins":      bytes.Repeat(login, 3),
		"login and more":    append(bytes.Clone(login), other...),
		"login and garbage": append(bytes.Clone(login), random...),
		"garbage":           append([]byte{0x3f}, random...),
	} {
		for _, faults := range [][]Fault{nil, {{PDU: 1000}}, {{PDU: 2, Action: Delay}}, {{PDU: 1, Action: Bytewise}}} {
			_, conn := through(t, faults...)
			go func() {
				_, _ = conn.Write(sent)
				_ = conn.CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%s, %v: %d bytes, %v; sent %d", name, faults, len(got), err, len(sent))
			}
		}
	}
}

// TestFaults sends three PDUs and checks what comes back after each action on the second, in each
// direction.
func TestFaults(t *testing.T) {
	first, second, third := pdu(t, iscsi.OpLoginRequest, 1), pdu(t, iscsi.OpLoginRequest, 22), pdu(t, iscsi.OpNOPOut, 333)
	all := bytes.Join([][]byte{first, second, third}, nil)
	for _, d := range []Direction{ToTarget, ToInitiator} {
		for action, want := range map[Action]struct {
			bytes []byte
			err   error
		}{
			Delay:     {bytes: all},
			Drop:      {bytes: append(bytes.Clone(first), third...)},
			Reset:     {bytes: first, err: syscall.ECONNRESET},
			Close:     {bytes: first},
			Truncate:  {bytes: append(bytes.Clone(first), second[:24]...)},
			BlackHole: {bytes: first, err: os.ErrDeadlineExceeded},
			Bytewise:  {bytes: all},
		} {
			f := Fault{Direction: d, PDU: 2, Action: action, Pause: time.Millisecond}
			t.Run(f.String(), func(t *testing.T) {
				t.Parallel()
				p, conn := through(t, f)
				got, err := exchange(t, conn, first, second, third)
				if action == Truncate && d == ToTarget { // the echo may not get its answer out before the end
					got, want.bytes = got[:len(first)], first
				}
				if action == Close || action == Truncate {
					err = ignoreReset(err)
				}
				if !bytes.Equal(got, want.bytes) || !errors.Is(err, want.err) {
					t.Errorf("%d bytes and %v, want %d and %v", len(got), err, len(want.bytes), want.err)
				}
				if p.Triggered() != 1 {
					t.Errorf("struck %d times", p.Triggered())
				}
			})
		}
	}
}

// exchange sends the PDUs one after the other, the first one's answer awaited, and returns what
// comes back until the end.
func exchange(t *testing.T, conn *net.TCPConn, first []byte, more ...[]byte) ([]byte, error) {
	t.Helper()
	if _, err := conn.Write(first); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(first))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(bytes.Join(more, nil)) // may meet the end
	_ = conn.CloseWrite()
	rest, err := io.ReadAll(conn)
	return append(got, rest...), err
}

// ignoreReset: a FIN becomes a reset if data that arrived has not been read.
func ignoreReset(err error) error {
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// TestConnections: a fault for the first connection leaves the second alone, and Set begins to
// count again.
func TestConnections(t *testing.T) {
	p, conn := through(t, Fault{PDU: 1, Action: Close, Until: 1})
	login := pdu(t, iscsi.OpLoginRequest, 5)
	ends := func(conn *net.TCPConn) bool {
		if _, err := conn.Write(login); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadFull(conn, make([]byte, len(login)))
		return err != nil
	}
	if !ends(conn) || ends(connect(t, p)) {
		t.Error("the fault does not strike the first connection only")
	}
	p.Set(Fault{PDU: 1, Action: Close, From: 1})
	if ends(connect(t, p)) || !ends(connect(t, p)) {
		t.Error("a fault that was set later does not strike the second connection only")
	}
	if l := p.Logins(); len(l) != 4 || l[0].ISID != [6]byte{0x80} || l[1].Connection != 1 || l[2].Connection != 0 {
		t.Errorf("logins %+v", l)
	}
}

// TestNoListener: the initiator receives a reset.
func TestNoListener(t *testing.T) {
	p := Start(listen(t), func(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED })
	t.Cleanup(func() { _ = p.Close() })
	conn, err := net.Dial("tcp", p.Addr().String()) // which may already receive it
	if err == nil {
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

// TestCloseEnds: no connection keeps Close waiting, not even one in a black hole or a long delay.
func TestCloseEnds(t *testing.T) {
	for _, a := range []Action{BlackHole, Delay} {
		p, conn := through(t, Fault{PDU: 1, Action: a, Pause: time.Hour})
		if _, err := conn.Write(pdu(t, iscsi.OpLoginRequest, 5)); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(conn); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v: %d bytes and %v after Close", a, len(got), err)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, a := range Actions() {
		f := Fault{Direction: ToInitiator, PDU: 3, Action: a}
		if s := f.String(); !strings.Contains(s, a.String()+" of PDU 3 to initiator") {
			t.Errorf("%q", s)
		}
	}
}

package faultproxy

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// answers sends a SCSI Response with these numbers for each PDU it gets.
func answers(t *testing.T, statSN byte) Dialer {
	t.Helper()
	var b [iscsi.BHSLen]byte
	b[0], b[1], b[27], b[31], b[35] = byte(iscsi.OpSCSIResponse), 0x80, statSN, 8, 9
	return serve(t, func(conn net.Conn) {
		for {
			if _, err := readPDU(conn); err != nil {
				return
			}
			if _, err := conn.Write(b[:]); err != nil {
				return
			}
		}
	})
}

// A message comes between the target's PDUs with the target's numbers, and a reset ends what is
// open.
func TestInjectAndReset(t *testing.T) {
	p := Start(listen(t), answers(t, 7))
	t.Cleanup(func() { _ = p.Close() })
	p.Follow()
	message := iscsi.AsyncMessage{Event: iscsi.AsyncDropConnection, Parameter2: 3}
	if err := p.Inject(message); !errors.Is(err, errNoConnection) {
		t.Errorf("without a connection: %v", err)
	}
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	command := make([]byte, iscsi.BHSLen)
	command[0] = byte(iscsi.OpSCSICommand)
	next := p.Next()
	for range 2 {
		if _, err := conn.Write(command); err != nil {
			t.Fatal(err)
		}
		if pdu, err := readPDU(conn); err != nil || pdu[27] != 7 {
			t.Fatalf("answer %x, %v", pdu, err)
		}
	}
	if n := p.Live(); n != 1 || len(next) != 1 {
		t.Errorf("%d connections are live, %d times told", n, len(next))
	}
	if err := p.Inject(message); err != nil {
		t.Fatal(err)
	}
	pdu, err := readPDU(conn)
	if err != nil {
		t.Fatal(err)
	}
	got := iscsi.ParseAsyncMessage(&iscsi.PDU{BHS: [iscsi.BHSLen]byte(pdu)})
	if got != message || pdu[0] != byte(iscsi.OpAsyncMessage) || pdu[27] != 7 || pdu[31] != 8 || pdu[35] != 9 {
		t.Errorf("the message is % x", pdu)
	}
	if n := p.Reset(); n != 1 {
		t.Errorf("%d connections were reset", n)
	}
	if _, err := readPDU(conn); err == nil {
		t.Error("the connection lives on")
	}
}

// After BlackHole nothing is forwarded on connections that were open, not even a FIN; later ones
// are not affected.
func TestBlackHoleOfAll(t *testing.T) {
	ended := make(chan error, 2)
	p := Start(listen(t), serve(t, func(conn net.Conn) {
		for {
			b, err := readPDU(conn)
			if err != nil {
				ended <- err
				return
			}
			_, _ = conn.Write(b)
		}
	}))
	t.Cleanup(func() { _ = p.Close() })
	p.Follow()
	command := pdu(t, iscsi.OpSCSICommand, 0)
	speak := func(conn *net.TCPConn, d time.Duration) error {
		_ = conn.SetDeadline(time.Now().Add(d))
		if _, err := conn.Write(command); err != nil {
			return err
		}
		_, err := readPDU(conn)
		return err
	}
	first := connect(t, p)
	if err := speak(first, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if n := p.BlackHole(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if err := speak(first, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_ = first.Close()
	if err := speak(connect(t, p), 10*time.Second); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		t.Errorf("the target has seen an end: %v", err)
	default:
	}
}

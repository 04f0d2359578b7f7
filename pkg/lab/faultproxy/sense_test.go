package faultproxy

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// A response of the target's gets a sense key, with its numbers, until that is taken back.
func TestSense(t *testing.T) {
	p := Start(listen(t), answers(t, 7))
	t.Cleanup(func() { _ = p.Close() })
	p.Follow()
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	command := make([]byte, iscsi.BHSLen)
	command[0] = byte(iscsi.OpSCSICommand)
	for _, key := range []byte{0, 0x0b, 0} {
		p.Sense(key)
		if _, err := conn.Write(command); err != nil {
			t.Fatal(err)
		}
		pdu, err := readPDU(conn)
		if err != nil || pdu[27] != 7 {
			t.Fatalf("answer %x, %v", pdu, err)
		}
		want := []byte{0, 18, 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		if key == 0 {
			want = nil
		}
		if !bytes.Equal(pdu[iscsi.BHSLen:], want) || (pdu[3] == 2) != (key != 0) {
			t.Errorf("key %#x: % x", key, pdu)
		}
	}
}

// A port in standby refuses reads too, whose status comes with their last data.
func TestNotReady(t *testing.T) {
	var p Proxy
	p.NotReady(0x04, 0x0b)
	read := make([]byte, iscsi.BHSLen+512)
	read[0], read[1], read[6], read[19], read[27] = byte(iscsi.OpDataIn), 0x81, 2, 5, 7
	got := p.answered(read)
	want := []byte{0, 18, 0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x04, 0x0b, 0, 0, 0, 0}
	if got[0] != byte(iscsi.OpSCSIResponse) || got[3] != 2 || got[19] != 5 || got[27] != 7 || !bytes.Equal(got[iscsi.BHSLen:], want) {
		t.Errorf("% x", got)
	}
	read[1] = 0 // more follows
	if got := p.answered(read); !bytes.Equal(got, read) {
		t.Errorf("the middle of a read: % x", got)
	}
	read[1] = 0x81
	p.Sense(0x0b)
	if got := p.answered(read); !bytes.Equal(got, read) {
		t.Errorf("Sense strikes a read: % x", got)
	}
}

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

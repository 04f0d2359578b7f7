package iscsi_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// The digests of RFC 7143 appendix A.5: a SCSI Read (10) Command PDU, and 32 bytes of zeros.
func TestTCPPipeDigests(t *testing.T) {
	bhs, err := hex.DecodeString("01c00000" + "00000020" + "0000000000000000" + "14000000" + "00000400" + "00000014" + "00000018" + "28000000" + "00000000" + "02000000" + "00000000")
	if err != nil {
		t.Fatal(err)
	}
	read := bytes.Clone(bhs)
	read[7] = 0
	for name, tt := range map[string]struct {
		bhs          []byte
		data         int
		header, body bool
		want         []byte // after the header and in place of the data's digest
	}{
		"header":       {read, 0, true, false, []byte{0x56, 0x3a, 0x96, 0xd9}},
		"none of data": {read, 0, false, true, nil},
		"data":         {bhs, 32, false, true, append(make([]byte, 32), 0xaa, 0x36, 0x91, 0x8a)},
	} {
		near, far := net.Pipe()
		pipe := iscsi.NewTCPPipe(near)
		pipe.SetDigests(tt.header, tt.body)
		sent := make(chan error, 1)
		go func() {
			sent <- pipe.Send(t.Context(), &iscsi.PDU{BHS: [iscsi.BHSLen]byte(tt.bhs), Data: make([]byte, tt.data)})
			_ = near.Close()
		}()
		var got bytes.Buffer
		if _, err := got.ReadFrom(far); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil || !bytes.Equal(got.Bytes(), append(bytes.Clone(tt.bhs), tt.want...)) {
			t.Errorf("%s: %x, %v", name, got.Bytes(), err)
		}
	}
}

// What one pipe sends another one reads, and each wrong bit is detected.
func TestTCPPipeChecksDigests(t *testing.T) {
	want := &iscsi.PDU{AHS: []byte{1, 2, 3, 4}, Data: []byte("hello")}
	want.BHS[0] = byte(iscsi.OpTextResponse)
	near, far := net.Pipe()
	pipe := iscsi.NewTCPPipe(near)
	pipe.SetDigests(true, true)
	go func() {
		_ = pipe.Send(t.Context(), want)
		_ = near.Close()
	}()
	var wire bytes.Buffer
	if _, err := wire.ReadFrom(far); err != nil || wire.Len() != 48+4+4+8+4 {
		t.Fatalf("%d bytes, %v", wire.Len(), err)
	}
	receive := func(b []byte) (*iscsi.PDU, error) {
		pipe := iscsi.NewTCPPipe(iscsitest.Replay(b))
		pipe.SetDigests(true, true)
		return pipe.Receive(t.Context())
	}
	got, err := receive(wire.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for i := range wire.Len() {
		if i >= 4 && i < 8 { // the lengths: the digest is read at another offset
			continue
		}
		b := bytes.Clone(wire.Bytes())
		b[i] ^= 0x10
		var broke *iscsi.ProtocolError
		if _, err := receive(b); !errors.As(err, &broke) || broke.Section != "7.8" {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

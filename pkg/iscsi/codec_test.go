package iscsi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

func TestPDULimits(t *testing.T) {
	bad := map[string]iscsi.PDU{
		"AHS not in words": {AHS: make([]byte, 3)},
		"AHS too long":     {AHS: make([]byte, iscsi.MaxAHSLen+4)},
		"data too long":    {Data: make([]byte, iscsi.MaxDataLen+1)},
	}
	for name, p := range bad {
		if _, err := p.MarshalBinary(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	var p iscsi.PDU
	for _, n := range []int{0, 47, 49, 52} {
		var pe *iscsi.ProtocolError
		if err := p.UnmarshalBinary(make([]byte, n)); !errors.As(err, &pe) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestLoginPDULengths: a PDU with wrong lengths from a pipe is an error.
func TestLoginPDULengths(t *testing.T) {
	resp := &iscsi.LoginResponse{Data: []byte("A=b\x00")}
	for _, edit := range []func(p *iscsi.PDU){
		func(p *iscsi.PDU) { p.Data = p.Data[:3] },
		func(p *iscsi.PDU) { p.AHS = make([]byte, 4) },
		func(p *iscsi.PDU) {
			p.Data = make([]byte, iscsi.LoginDataLen+1)
			if err := p.SetLengths(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		p, err := resp.PDU()
		if err != nil {
			t.Fatal(err)
		}
		edit(p)
		var pe *iscsi.ProtocolError
		if _, err := iscsi.ParseLoginResponse(p); !errors.As(err, &pe) {
			t.Errorf("got %v", err)
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for op := range iscsi.Opcode(0x40) {
		seen[op.String()] = true
	}
	if len(seen) != 0x40 || !seen["Ready To Transfer"] || !seen["opcode 0x2a"] {
		t.Errorf("%d names of opcodes", len(seen))
	}
}

// TestTCPPipe sends a PDU with all its parts, one byte at a time.
func TestTCPPipe(t *testing.T) {
	want := &iscsi.PDU{AHS: []byte{1, 2, 3, 4}, Data: []byte("hello")}
	want.BHS[0] = byte(iscsi.OpTextResponse)
	b, err := want.MarshalBinary()
	if err != nil || len(b) != 48+4+8 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	near, far := net.Pipe()
	go func() {
		for i := range b {
			if _, err := far.Write(b[i : i+1]); err != nil {
				return
			}
		}
		far.Close()
	}()
	pipe := iscsi.NewTCPPipe(near)
	got, err := pipe.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if _, err := pipe.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestTCPPipeErrors(t *testing.T) {
	bhs := make([]byte, 48)
	bhs[7] = 8
	for _, n := range []int{20, 48, 50} {
		b := append(bhs, 1, 2)[:n]
		_, err := iscsi.NewTCPPipe(iscsitest.Replay(b)).Receive(t.Context())
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Errorf("closed after %d bytes: %v", n, err)
		}
	}
	pipe := iscsi.NewTCPPipe(iscsitest.Replay(nil))
	if err := pipe.Send(t.Context(), &iscsi.PDU{AHS: []byte{1}}); err == nil {
		t.Error("sent a PDU that cannot be")
	}
	near, far := net.Pipe()
	far.Close()
	near.Close()
	if _, err := iscsi.NewTCPPipe(near).Receive(t.Context()); !errors.Is(err, io.ErrClosedPipe) || !errors.Is(err, io.EOF) {
		t.Errorf("received from a closed connection: %v", err)
	}
}

// TestTCPPipeContext: a context that ends unblocks a call, and only that call.
func TestTCPPipeContext(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	pipe := iscsi.NewTCPPipe(near)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := pipe.Send(ctx, new(iscsi.PDU)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("send: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := pipe.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("receive: %v", err)
	}
	go func() { _, _ = far.Write(make([]byte, 48)) }()
	if _, err := pipe.Receive(t.Context()); err != nil {
		t.Errorf("receive with a new context: %v", err)
	}
}

// noDeadline is a connection whose SetDeadline panics.
type noDeadline struct{ net.Conn }

func (noDeadline) SetDeadline(time.Time) error { panic("a bug") }

// TestTCPPipePanic: a panic in what ends a call closes the connection, which ends the call as well.
func TestTCPPipePanic(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := iscsi.NewTCPPipe(noDeadline{near}).Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("receive: %v", err)
	}
}

func TestDecodeBinary(t *testing.T) {
	good := map[string]string{
		"0x010203": "\x01\x02\x03", "0XaBc": "\x0a\xbc", "0x0": "\x00",
		"0bAQID": "\x01\x02\x03", "0BAQ==": "\x01",
	}
	for s, want := range good {
		if b, err := iscsi.DecodeBinary(s, 3); err != nil || string(b) != want {
			t.Errorf("%s: %x, %v", s, b, err)
		}
	}
	bad := map[string]string{
		"": "neither", "0": "neither", "abcd": "neither", "0x": "empty", "0b": "empty",
		"0xg0": "a digit", "0bA": "a digit", "0b*AAA": "a digit", "0bAR==": "a digit", "0bAQ\n==": "base64",
		"0x01020304": "4 bytes, limit 3", "0bAQIDBA==": "limit 3", "0bAQIDBAUG": "limit 3",
	}
	for s, want := range bad {
		_, err := iscsi.DecodeBinary(s, 3)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
	if s := iscsi.EncodeBinary([]byte{0, 0xff}); s != "0x00ff" {
		t.Error(s)
	}
}

func TestAppendText(t *testing.T) {
	pairs := []iscsi.Pair{{"A", "1"}, {"B", ""}}
	if got := iscsi.AppendText([]byte("x"), pairs); !bytes.Equal(got, []byte("xA=1\x00B=\x00")) {
		t.Errorf("%q", got)
	}
}

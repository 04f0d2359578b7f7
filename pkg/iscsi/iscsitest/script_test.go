package iscsitest

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// TestServe: the error at the end of a script.
func TestServe(t *testing.T) {
	login, err := (&iscsi.LoginRequest{}).PDU()
	if err != nil {
		t.Fatal(err)
	}
	other := new(iscsi.PDU)
	tests := []struct {
		name    string
		script  Script
		send    []*iscsi.PDU
		wantErr bool
	}{
		{"all steps ran", Script{Silence()}, []*iscsi.PDU{login}, false},
		{"script closes", Script{Close(), Close()}, []*iscsi.PDU{login}, false},
		{"initiator closes early", Script{Close()}, nil, true},
		{"no login request", Script{Text("A=b")}, []*iscsi.PDU{other}, true},
		{"initiator talks into silence", Script{Silence()}, []*iscsi.PDU{login, login}, true},
		{"initiator does not read", Script{Text("A=b")}, []*iscsi.PDU{login}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, wait := tt.script.Start()
			for _, p := range tt.send {
				if err := Write(conn, p); err != nil {
					t.Fatal(err)
				}
			}
			requests, err := wait()
			if (err != nil) != tt.wantErr {
				t.Errorf("got %v", err)
			}
			if len(requests) != min(1, len(tt.send)) {
				t.Errorf("%d requests", len(requests))
			}
		})
	}
	if _, err := (Script{Close()}).Serve(closed()); !errors.Is(err, io.EOF) {
		t.Errorf("closed connection: %v", err)
	}
	if err := Write(nil, &iscsi.PDU{AHS: []byte{1}}); err == nil {
		t.Error("wrote a PDU that cannot be")
	}
}

// closed returns a connection whose other end is closed.
func closed() net.Conn {
	near, far := net.Pipe()
	far.Close()
	return near
}

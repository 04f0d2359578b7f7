package iscsi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// view is a typed view of a PDU and its error.
type view struct {
	p   *iscsi.PDU
	err error
	// decode decodes p.
	again func(p *iscsi.PDU) (any, error)
	want  any
}

// views are PDUs of every kind, with a value in each field.
func views() map[string]view {
	encode := func(p *iscsi.PDU, err error) view { return view{p: p, err: err} }
	lun, data := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte("data")
	text := &iscsi.TextRequest{Immediate: true, Final: true, Continue: true, LUN: lun, ITT: 1, TTT: 2, CmdSN: 3, ExpStatSN: 4, Data: data}
	answer := &iscsi.TextResponse{Final: true, Continue: true, LUN: lun, ITT: 1, TTT: 2, StatSN: 3, ExpCmdSN: 4, MaxCmdSN: 5, Data: data}
	out := &iscsi.NOPOut{Immediate: true, LUN: lun, ITT: 1, TTT: 2, CmdSN: 3, ExpStatSN: 4, Data: data}
	in := &iscsi.NOPIn{LUN: lun, ITT: 1, TTT: 2, StatSN: 3, ExpCmdSN: 4, MaxCmdSN: 5, Data: data}
	bye := &iscsi.LogoutRequest{Immediate: true, Reason: iscsi.LogoutRecovery, ITT: 1, CID: 2, CmdSN: 3, ExpStatSN: 4}
	gone := &iscsi.LogoutResponse{Response: 3, ITT: 1, StatSN: 2, ExpCmdSN: 3, MaxCmdSN: 4, Time2Wait: 5, Time2Retain: 6}
	login := &iscsi.LoginRequest{Transit: true, CSG: 1, NSG: 3, VersionMax: 9, VersionMin: 8, ISID: [6]byte{1, 2, 3, 4, 5, 6}, TSIH: 1, ITT: 2, CID: 3, CmdSN: 4, ExpStatSN: 5, Data: data}
	all := map[string]view{
		"Text Request": encode(text.PDU()), "Text Response": encode(answer.PDU()), "NOP-Out": encode(out.PDU()), "NOP-In": encode(in.PDU()),
		"Logout Request": encode(bye.PDU(), nil), "Logout Response": encode(gone.PDU(), nil), "Login Request": encode(login.PDU()),
	}
	set := func(name string, want any, again func(p *iscsi.PDU) (any, error)) {
		v := all[name]
		v.want, v.again = want, again
		all[name] = v
	}
	set("Text Request", text, func(p *iscsi.PDU) (any, error) { return iscsi.ParseTextRequest(p) })
	set("Text Response", answer, func(p *iscsi.PDU) (any, error) { return iscsi.ParseTextResponse(p) })
	set("NOP-Out", out, func(p *iscsi.PDU) (any, error) { return iscsi.ParseNOPOut(p) })
	set("NOP-In", in, func(p *iscsi.PDU) (any, error) { return iscsi.ParseNOPIn(p) })
	set("Logout Request", bye, func(p *iscsi.PDU) (any, error) { return iscsi.ParseLogoutRequest(p) })
	set("Logout Response", gone, func(p *iscsi.PDU) (any, error) { return iscsi.ParseLogoutResponse(p) })
	set("Login Request", login, func(p *iscsi.PDU) (any, error) { return iscsi.ParseLoginRequest(p) })
	return all
}

// TestViews: each kind of PDU keeps every field when it is encoded and decoded, and is not decoded
// as another kind.
func TestViews(t *testing.T) {
	all := views()
	for name, v := range all {
		if v.err != nil || v.p.Opcode().String() != name {
			t.Fatalf("%s: %v, %v", name, v.p.Opcode(), v.err)
		}
		b, err := v.p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var p iscsi.PDU
		if err := p.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		got, err := v.again(&p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(v.want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
		for other, w := range all {
			var pe *iscsi.ProtocolError
			if _, err := w.again(&p); other != name && (!errors.As(err, &pe) || !strings.Contains(pe.What, name+" instead of a "+other)) {
				t.Errorf("%s as %s: %v", name, other, err)
			}
		}
	}
	for _, name := range []string{"Logout Request", "Logout Response"} {
		p := *all[name].p
		p.Data = []byte("surplus")
		if err := p.SetLengths(); err != nil {
			t.Fatal(err)
		}
		if _, err := all[name].again(&p); err == nil || !strings.Contains(err.Error(), name+" with a data segment of 7 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEvents: Reject and Asynchronous Message, encoded and decoded.
func TestEvents(t *testing.T) {
	rejected := [48]byte{0x43}
	p := iscsi.RejectReason(4).PDU(rejected)
	if b, err := p.MarshalBinary(); err != nil || len(b) != 96 || p.ITT() != noTag || iscsi.ParseReject(p).String() != "protocol error" || [48]byte(p.Data) != rejected {
		t.Errorf("%x, %v", b, err)
	}
	m := iscsi.AsyncMessage{Event: iscsi.AsyncLogoutRequest, Parameter1: 1, Parameter2: 2, Parameter3: 3}
	if got := iscsi.ParseAsyncMessage(m.PDU()); got != m {
		t.Errorf("%+v", got)
	}
}

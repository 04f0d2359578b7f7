package iscsi_test

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// spoil is a step that answers with a correct response changed by edit.
func spoil(edit func(r *response)) iscsitest.Step {
	return iscsitest.Login(func(_ *request, r *response) {
		r.Data = iscsitest.Join(answers()...)
		edit(r)
	})
}

// pdu is a step that answers with a bare header.
func pdu(edit func(bhs *[iscsi.BHSLen]byte)) iscsitest.Step {
	return func(conn net.Conn, _ *iscsi.PDU) error {
		var bhs [iscsi.BHSLen]byte
		edit(&bhs)
		_, err := conn.Write(bhs[:])
		return err
	}
}

func TestChecklistResponse(t *testing.T) {
	tests := []struct {
		name           string
		step           iscsitest.Step
		section, words string
	}{
		{"16 active version", spoil(func(r *response) { r.VersionActive = 1 }), "11.13.2", "active version 1"},
		{"25 opcode", pdu(func(b *[48]byte) { b[0] = 0x21 }), "11.13", "SCSI Response instead of a Login Response"},
		{"25 unknown opcode", pdu(func(b *[48]byte) { b[0] = 0x3e }), "11.13", "opcode 0x3e instead"},
		{"25 our own opcode", pdu(func(b *[48]byte) { b[0] = 0x43 }), "11.13", "Login Request instead"},
		{"25 reject", pdu(func(b *[48]byte) { b[0], b[2] = 0x3f, 0x04 }), "11.17", "Reject during login: protocol error"},
		{"25 reject without a known reason", pdu(func(b *[48]byte) { b[0], b[2] = 0x3f, 0xee }), "11.17", "reason 0xee"},
		{"25 async", pdu(func(b *[48]byte) { b[0], b[36] = 0x32, 1 }), "6.3", "target requests logout"},
		{"25 ITT", spoil(func(r *response) { r.ITT++ }), "11.13", "task tag 0x00000001"},
		{"25 CSG", spoil(func(r *response) { r.CSG = iscsi.StageSecurity }), "11.13", "response in the security stage to a request in the operational stage"},
		{"25 NSG", spoil(func(r *response) { r.NSG = iscsi.StageOperational }), "11.13.6", "leads to the operational stage"},
		{"25 reserved NSG", spoil(func(r *response) { r.NSG = 2 }), "11.13.6", "leads to the stage 2"},
		{"25 T and C", spoil(func(r *response) { r.Continue = true }), "11.13.7", "both T and C"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			login(t, config(), tt.step).breaks(t, tt.section, tt.words)
		})
	}
	t.Run("25 AHS", func(t *testing.T) {
		b := make([]byte, 52)
		b[0], b[4] = byte(iscsi.OpLoginResponse), 1
		login(t, config(), iscsitest.Raw(b)).breaks(t, "11.13", "additional header of 4 bytes")
	})
	t.Run("25 T without the initiator's", func(t *testing.T) {
		early := iscsitest.Login(func(_ *request, r *response) { r.Transit, r.NSG = true, iscsi.StageFullFeature })
		login(t, config(), part("A"), early).breaks(t, "11.13.6", "not in the request")
	})
	t.Run("25 jump over the operational stage", func(t *testing.T) {
		cfg := config()
		cfg.SecurityStage = true
		jump := iscsitest.Login(func(_ *request, r *response) { r.NSG = iscsi.StageFullFeature })
		login(t, cfg, jump).breaks(t, "11.13.6", "leads to the full feature phase")
	})
}

func TestChecklistSession(t *testing.T) {
	t.Run("26 status ends it", func(t *testing.T) {
		// StatSN and the stages of such a response have no meaning.
		o := login(t, config(), iscsitest.Login(func(_ *request, r *response) {
			*r = response{StatusClass: 3, StatusDetail: 2, StatSN: 99, CSG: 2, NSG: 2, Transit: true, Continue: true, ITT: r.ITT}
		}))
		var se *iscsi.StatusError
		if !errors.As(o.err, &se) || se.Code() != 0x0302 || len(o.requests) != 1 {
			t.Errorf("got %v after %d requests", o.err, len(o.requests))
		}
	})
	t.Run("27 TSIH 0", func(t *testing.T) {
		login(t, config(), spoil(func(r *response) { r.TSIH = 0 })).warns(t, "TSIH 0")
	})
	t.Run("27 ISID of another", func(t *testing.T) {
		login(t, config(), spoil(func(r *response) { r.ISID[5] = 9 })).warns(t, "ISID 00023d000009, the request has 00023d000001")
	})
}

func TestChecklistPortalGroup(t *testing.T) {
	tag := uint16(7)
	cfg := config()
	cfg.TPGT = &tag
	t.Run("28 another portal group", func(t *testing.T) {
		login(t, cfg, iscsitest.Text(answers()...)).warns(t, "portal group tag is 1, expected 7")
	})
	t.Run("28 portal group late", func(t *testing.T) {
		o := login(t, cfg, stay(answers("TargetPortalGroupTag")...), iscsitest.Text("TargetPortalGroupTag=7"))
		o.warns(t)
		if o.res.TPGT != 7 || !o.res.HasTPGT {
			t.Errorf("%+v", o.res)
		}
	})
	t.Run("28 no portal group", func(t *testing.T) {
		o := login(t, cfg, iscsitest.Text(answers("TargetPortalGroupTag")...))
		o.warns(t)
		if o.res.HasTPGT {
			t.Errorf("%+v", o.res)
		}
	})
}

func TestChecklistNumbers(t *testing.T) {
	t.Run("29 StatSN", func(t *testing.T) {
		jump := func(sn uint32, last bool) iscsitest.Step {
			return iscsitest.Login(func(_ *request, r *response) {
				r.StatSN = sn
				if !last {
					r.Transit, r.NSG = false, 0
					return
				}
				r.Data = iscsitest.Join(answers()...)
			})
		}
		o := login(t, config(), jump(10, false), jump(12, false), jump(20, true))
		o.warns(t, "StatSN is 12, expected 11")
		if o.res.ExpStatSN != 21 {
			t.Errorf("ExpStatSN %d", o.res.ExpStatSN)
		}
	})
	t.Run("30 command window", func(t *testing.T) {
		o := login(t, config(), spoil(func(r *response) { r.ExpCmdSN, r.MaxCmdSN = 1, 128 }))
		if o.ok(t); o.res.ExpCmdSN != 1 || o.res.MaxCmdSN != 128 {
			t.Errorf("%+v", o.res)
		}
	})
	t.Run("38 nothing is sent after a failure", func(t *testing.T) {
		// The script has steps left, so it reads until the connection closes.
		script := iscsitest.Script{spoil(func(r *response) { r.ITT = 5 }), iscsitest.Close()}
		conn, wait := script.Start()
		if _, err := iscsi.Login(t.Context(), iscsi.NewTCPPipe(conn), config()); err == nil {
			t.Error("no error")
		}
		if reqs, err := wait(); len(reqs) != 1 || err == nil {
			t.Errorf("%d requests, %v", len(reqs), err)
		}
	})
}

func TestParseAsyncMessage(t *testing.T) {
	var p iscsi.PDU
	p.BHS[0], p.BHS[36] = byte(iscsi.OpAsyncMessage), 2
	binary.BigEndian.PutUint16(p.BHS[38:], 1)
	binary.BigEndian.PutUint16(p.BHS[40:], 2)
	binary.BigEndian.PutUint16(p.BHS[42:], 20)
	want := iscsi.AsyncMessage{Event: iscsi.AsyncDropConnection, Parameter1: 1, Parameter2: 2, Parameter3: 20}
	if got := iscsi.ParseAsyncMessage(&p); got != want {
		t.Errorf("%+v", got)
	}
	seen := map[string]bool{}
	for e := range iscsi.AsyncEvent(7) {
		seen[e.String()] = true
	}
	if len(seen) != 7 || !seen["event 6"] {
		t.Errorf("%v", seen)
	}
}

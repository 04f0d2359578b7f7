package iscsi_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// seeds calls add for every recorded PDU, with its bytes.
func seeds(f *testing.F, add func(p *iscsi.PDU, b []byte)) {
	for _, file := range recordings(f) {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		tr, err := iscsitest.ParseTranscript(raw)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range tr {
			b, err := p.MarshalBinary()
			if err != nil {
				f.Fatal(err)
			}
			add(p, b)
		}
	}
}

// FuzzPDU: what is parsed marshals to the same bytes, except for padding, and the typed views never
// read past the PDU.
func FuzzPDU(f *testing.F) {
	seeds(f, func(_ *iscsi.PDU, b []byte) { f.Add(b) })
	f.Add(append([]byte{0x23, 0, 0, 0, 1, 0, 0, 3}, make([]byte, 48)...))
	for _, v := range views() {
		if b, err := v.p.MarshalBinary(); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again iscsi.PDU
		if p.UnmarshalBinary(b) != nil {
			return
		}
		out, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if n := iscsi.BHSLen + len(p.AHS) + len(p.Data); len(out) != len(b) || !bytes.Equal(out[:n], b[:n]) {
			t.Fatalf("%x came back as %x", b, out)
		}
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatal(err)
		}
		roundTripLogin(t, &p)
		roundTripViews(t, &p)
	})
}

// roundTripViews does the same with every other kind of PDU.
func roundTripViews(t *testing.T, p *iscsi.PDU) {
	stable := func(kind string, parse func(p *iscsi.PDU) (any, error), encode func(v any) (*iscsi.PDU, error)) {
		v, err := parse(p)
		if err != nil {
			return
		}
		q, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parse(q); err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%s: %+v came back as %+v, %v", kind, v, again, err)
		}
	}
	stable("text request", func(p *iscsi.PDU) (any, error) { return iscsi.ParseTextRequest(p) }, func(v any) (*iscsi.PDU, error) { return v.(*iscsi.TextRequest).PDU() })
	stable("text response", func(p *iscsi.PDU) (any, error) { return iscsi.ParseTextResponse(p) }, func(v any) (*iscsi.PDU, error) { return v.(*iscsi.TextResponse).PDU() })
	stable("NOP-Out", func(p *iscsi.PDU) (any, error) { return iscsi.ParseNOPOut(p) }, func(v any) (*iscsi.PDU, error) { return v.(*iscsi.NOPOut).PDU() })
	stable("NOP-In", func(p *iscsi.PDU) (any, error) { return iscsi.ParseNOPIn(p) }, func(v any) (*iscsi.PDU, error) { return v.(*iscsi.NOPIn).PDU() })
	stable("logout request", func(p *iscsi.PDU) (any, error) { return iscsi.ParseLogoutRequest(p) }, func(v any) (*iscsi.PDU, error) { return v.(*iscsi.LogoutRequest).PDU(), nil })
	stable("logout response", func(p *iscsi.PDU) (any, error) { return iscsi.ParseLogoutResponse(p) }, func(v any) (*iscsi.PDU, error) { return v.(*iscsi.LogoutResponse).PDU(), nil })
	stable("reject", func(p *iscsi.PDU) (any, error) { return iscsi.ParseReject(p), nil }, func(v any) (*iscsi.PDU, error) { return v.(iscsi.RejectReason).PDU(p.BHS), nil })
	stable("async", func(p *iscsi.PDU) (any, error) { return iscsi.ParseAsyncMessage(p), nil }, func(v any) (*iscsi.PDU, error) { return v.(iscsi.AsyncMessage).PDU(), nil })
}

// roundTripLogin: a login PDU is the same after its typed view, except for reserved bits.
func roundTripLogin(t *testing.T, p *iscsi.PDU) {
	if r, err := iscsi.ParseLoginRequest(p); err == nil {
		q, err := r.PDU()
		if err != nil {
			t.Fatal(err)
		}
		again, err := iscsi.ParseLoginRequest(q)
		if err != nil || !equalRequest(r, again) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	}
	if r, err := iscsi.ParseLoginResponse(p); err == nil {
		q, err := r.PDU()
		if err != nil {
			t.Fatal(err)
		}
		again, err := iscsi.ParseLoginResponse(q)
		if err != nil || !equalResponse(r, again) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	}
}

func equalRequest(a, b *iscsi.LoginRequest) bool {
	x, errX := a.PDU()
	y, errY := b.PDU()
	return errX == nil && errY == nil && x.BHS == y.BHS && bytes.Equal(x.Data, y.Data)
}

func equalResponse(a, b *iscsi.LoginResponse) bool {
	x, errX := a.PDU()
	y, errY := b.PDU()
	return errX == nil && errY == nil && x.BHS == y.BHS && bytes.Equal(x.Data, y.Data)
}

// FuzzText: what is parsed is written as the same bytes.
func FuzzText(f *testing.F) {
	seeds(f, func(p *iscsi.PDU, _ []byte) { f.Add(p.Data) })
	f.Add([]byte("CHAP_C=0x00==\x00X#Y=a=b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pairs, err := iscsi.ParseText(b)
		if err != nil {
			var pe *iscsi.ProtocolError
			if !errors.As(err, &pe) {
				t.Fatalf("not a protocol error: %v", err)
			}
			return
		}
		if out := iscsi.AppendText(nil, pairs); !bytes.Equal(out, b) {
			t.Fatalf("%q came back as %q", b, out)
		}
	})
}

// FuzzLogin: with any bytes from a target a login ends, with a valid result or with a printable
// error.
func FuzzLogin(f *testing.F) {
	for _, file := range recordings(f) {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		tr, err := iscsitest.ParseTranscript(raw)
		if err != nil {
			f.Fatal(err)
		}
		var said []byte
		for _, p := range tr {
			if b, err := p.MarshalBinary(); err == nil && iscsitest.FromTarget(p.Opcode()) {
				said = append(said, b...)
			}
		}
		f.Add(said, strings.Contains(file, "-security"))
	}
	f.Fuzz(func(t *testing.T, said []byte, security bool) {
		cfg := config()
		cfg.SecurityStage = security
		res, err := iscsi.Login(t.Context(), iscsi.NewTCPPipe(iscsitest.Replay(said)), cfg)
		if err != nil {
			if msg := err.Error(); len(msg) > 8192 || strings.ContainsFunc(msg, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("error unfit for a log: %q", msg)
			}
			return
		}
		checkResult(t, res)
	})
}

// checkResult verifies the result of a successful login.
func checkResult(t *testing.T, res iscsi.Result) {
	p := res.Params
	inRange := func(name string, v, lo, hi uint32) {
		if v < lo || v > hi {
			t.Errorf("%s is %d, want %d to %d", name, v, lo, hi)
		}
	}
	inRange("MaxConnections", p.MaxConnections, 1, 1)
	inRange("MaxRecvDataSegmentLength", p.MaxRecvDataSegmentLength, 262144, 262144)
	inRange("MaxXmitDataSegmentLength", p.MaxXmitDataSegmentLength, 512, 16777215)
	inRange("MaxBurstLength", p.MaxBurstLength, 512, 16776192)
	inRange("FirstBurstLength", p.FirstBurstLength, 512, min(p.MaxBurstLength, 262144))
	inRange("DefaultTime2Wait", p.DefaultTime2Wait, 2, 3600)
	inRange("DefaultTime2Retain", p.DefaultTime2Retain, 0, 20)
	inRange("MaxOutstandingR2T", p.MaxOutstandingR2T, 1, 1)
	inRange("ErrorRecoveryLevel", p.ErrorRecoveryLevel, 0, 0)
	if p.HeaderDigest || p.DataDigest || !p.DataPDUInOrder || !p.DataSequenceInOrder {
		t.Errorf("not what we offered: %+v", p)
	}
	for _, w := range res.Warnings {
		if strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("warning unfit for a log: %q", w)
		}
	}
}

// FuzzTargetAddress: what is parsed prints as an equal address.
func FuzzTargetAddress(f *testing.F) {
	for _, s := range []string{"192.0.2.7:3261", "[2001:db8::1]:3260,1", "[::ffff:1.2.3.4]", "store.example.com", "a,0x7f", "[fe80::1%eth0]", "a:0", ":3260", "a:1:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := iscsi.ParseTargetAddress(s)
		if err != nil {
			return
		}
		if a.Port == 0 || a.Host == "" || strings.ContainsAny(a.Host, "\x00\n \x1b%[]") {
			t.Fatalf("%q gave %+v", s, a)
		}
		if b, err := iscsi.ParseTargetAddress(a.String()); err != nil || a != b {
			t.Fatalf("%q printed as %s gave %+v, %v", s, a, b, err)
		}
	})
}

// FuzzBinary: a binary value is within its limit and is the same after hex.
func FuzzBinary(f *testing.F) {
	for _, s := range []string{"0x0123456789abcdef", "0XA", "0bAAEC", "0BAA==", "0x", "0b", "abc", "0bA", "0b====", "0xzz", "0bAA\nEC"} {
		f.Add(s, 1024)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		b, err := iscsi.DecodeBinary(s, limit)
		if err != nil {
			return
		}
		if len(b) == 0 || len(b) > limit {
			t.Fatalf("%d bytes, limit %d", len(b), limit)
		}
		if again, err := iscsi.DecodeBinary(iscsi.EncodeBinary(b), limit); err != nil || !bytes.Equal(b, again) {
			t.Fatalf("%x came back as %x, %v", b, again, err)
		}
	})
}

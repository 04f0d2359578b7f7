package iscsi_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// TestChecklistComplete: each of the 40 points has a test that begins with its number; some share
// one.
func TestChecklistComplete(t *testing.T) {
	files, err := filepath.Glob("checklist_*test.go")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	name := regexp.MustCompile(`(?m)^[^/\n]*(?:t\.Run\(|t\.Run\(fmt\.Sprintf\(|\{|^\s*)"((?:\d+ )+)[a-zA-Z]`)
	seen := map[int][]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllStringSubmatch(string(b), -1) {
			for n := range strings.FieldsSeq(m[1]) {
				i, err := strconv.Atoi(n)
				if err != nil || i < 1 || i > 40 {
					t.Errorf("%s: there is no point %s", f, n)
				}
				seen[i] = append(seen[i], f)
			}
		}
	}
	for i := 1; i <= 40; i++ {
		if len(seen[i]) == 0 {
			t.Errorf("point %d has no test", i)
		}
	}
}

func TestChecklistAuthentication(t *testing.T) {
	t.Run("31 CHAP only, first, in the security stage", func(t *testing.T) {
		o := login(t, withCHAP(oneWay()), method, ask, done(), agree)
		o.ok(t)
		if got := o.text(t, 0); got[len(got)-1] != "AuthMethod=CHAP" || o.requests[0].CSG != iscsi.StageSecurity {
			t.Errorf("first request: %q", got)
		}
		for i := 1; i < len(o.requests); i++ {
			if strings.Contains(string(o.requests[i].Data), "AuthMethod") {
				t.Errorf("request %d offers a method", i+1)
			}
		}
	})
	t.Run("32 only keys of the security stage", func(t *testing.T) {
		o := login(t, withCHAP(mutual()), method, ask, prove, agree)
		allowed := []string{"InitiatorName", "TargetName", "SessionType", "AuthMethod", "CHAP_A", "CHAP_I", "CHAP_C", "CHAP_N", "CHAP_R"}
		for i, r := range o.requests[:3] {
			for _, p := range o.text(t, i) {
				if key, _, _ := strings.Cut(p, "="); !slices.Contains(allowed, key) || r.CSG != iscsi.StageSecurity {
					t.Errorf("request %d in the %v: %s", i+1, r.CSG, p)
				}
			}
		}
	})
	t.Run("33 None instead of CHAP", func(t *testing.T) {
		login(t, withCHAP(oneWay()), stay("AuthMethod=None")).denies(t, iscsi.AuthNone, "it answered AuthMethod=None")
	})
	t.Run("33 no answer to CHAP", func(t *testing.T) {
		login(t, withCHAP(oneWay()), stay("TargetPortalGroupTag=1")).denies(t, iscsi.AuthSkipped, "no answer to AuthMethod=CHAP")
	})
	t.Run("10 CHAP rejected", func(t *testing.T) {
		for _, v := range []string{"Reject", "NotUnderstood", "Irrelevant"} {
			login(t, withCHAP(oneWay()), stay("AuthMethod="+v)).denies(t, iscsi.AuthNone, v)
		}
	})
	t.Run("34 target leaves before our proof", func(t *testing.T) {
		jump := func(pairs ...string) iscsitest.Step {
			return iscsitest.Login(func(_ *request, r *response) {
				r.Transit, r.NSG, r.Data = true, iscsi.StageOperational, iscsitest.Join(pairs...)
			})
		}
		login(t, withCHAP(oneWay()), jump("AuthMethod=CHAP")).breaks(t, "11.13.6", "not in the request")
		login(t, withCHAP(oneWay()), method, jump("CHAP_A=5", "CHAP_I=1", "CHAP_C=0x00")).breaks(t, "11.13.6", "not in the request")
	})
	t.Run("34 target leaves without its proof", func(t *testing.T) {
		login(t, withCHAP(mutual()), method, ask, done()).denies(t, iscsi.AuthTargetSilent, "")
	})
}

func TestChecklistReinstatement(t *testing.T) {
	tg := &iscsitest.Target{Name: config().TargetName}
	srv, err := iscsitest.Listen(tg.Serve)
	if err != nil {
		t.Fatal(err)
	}
	enter := func(cfg iscsi.LoginConfig) net.Conn {
		conn, err := net.Dial("tcp", srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := iscsi.Login(limited(t), iscsi.NewTCPPipe(conn), cfg); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first := enter(config())
	t.Run("35 another ISID is another session", func(t *testing.T) {
		cfg := config()
		cfg.ISID[5]++
		conn := enter(cfg)
		// The target answers a ping only after it has noted the session.
		ping(t, conn)
		ping(t, first)
		if n := tg.Sessions(); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("36 the same ISID with TSIH 0 ends the old session", func(t *testing.T) {
		again := enter(config())
		ping(t, again)
		if n, err := first.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Error("the old session goes on")
		}
		if n := tg.Sessions(); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}

// ping sends a NOP-Out and waits for its answer.
func ping(t *testing.T, conn net.Conn) {
	t.Helper()
	out, err := (&iscsi.NOPOut{Immediate: true, ITT: 5, TTT: noTag, Data: []byte("ping")}).PDU()
	if err != nil {
		t.Fatal(err)
	}
	pipe := iscsi.NewTCPPipe(conn)
	if err := pipe.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	p, err := pipe.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if in, err := iscsi.ParseNOPIn(p); err != nil || in.ITT != 5 || string(in.Data) != "ping" {
		t.Fatalf("%+v, %v", in, err)
	}
}

func TestChecklistElsewhere(t *testing.T) {
	t.Run("39 redirect", func(t *testing.T) {
		tg := &iscsitest.Target{Redirect: "[2001:db8::1],2"}
		conn, wait := tg.Start()
		_, err := iscsi.Login(limited(t), iscsi.NewTCPPipe(conn), config())
		var se *iscsi.StatusError
		if !errors.As(err, &se) {
			t.Fatal(err)
		}
		addr, permanent, ok := se.Redirect()
		if addr.String() != "[2001:db8::1]:3260,2" || permanent || !ok {
			t.Errorf("%v, %v, %v", addr, permanent, ok)
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
		tg.Permanent = true
		conn, wait = tg.Start()
		_, err = iscsi.Login(limited(t), iscsi.NewTCPPipe(conn), config())
		if errors.As(err, &se); !strings.Contains(err.Error(), "permanently to [2001:db8::1]:3260,2") {
			t.Error(err)
		}
		if _, permanent, _ := se.Redirect(); !permanent {
			t.Error("0102 is for good")
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("39 address without a redirect", func(t *testing.T) {
		o := login(t, config(), iscsitest.Status(0x0203, "TargetAddress=192.0.2.9"))
		var se *iscsi.StatusError
		if !errors.As(o.err, &se) {
			t.Fatal(o.err)
		}
		if _, _, ok := se.Redirect(); ok || len(se.Addresses) != 0 {
			t.Errorf("%+v", se)
		}
	})
	t.Run("40 discovery without addresses", func(t *testing.T) {
		// The order of its PDUs is in TestDiscoverOrder.
		got, err := discover(t, &iscsitest.Target{Name: "iqn.a"}, discovery())
		if err != nil || len(got) != 1 || !slices.Equal(got[0].Addresses, []iscsi.TargetAddress{portal}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("40 irrelevant keys in a discovery session", func(t *testing.T) {
		conn, wait := iscsitest.Script{stay("InitialR2T=No", "MaxConnections=1"), done(), iscsitest.Close()}.Start()
		_, err := iscsi.Discover(limited(t), iscsi.NewTCPPipe(conn), discovery())
		pdus, werr := wait()
		if err == nil || werr != nil || len(pdus) != 3 {
			t.Fatalf("%v, %v, %d PDUs", err, werr, len(pdus))
		}
		if got := iscsitest.Keys(pdus[1]); len(got) != 2 || got["InitialR2T"] != "Irrelevant" || got["MaxConnections"] != "Irrelevant" {
			t.Errorf("%q", got)
		}
	})
}

func TestMoreSpecific(t *testing.T) {
	closed, refused := errors.New("closed"), &iscsi.StatusError{Class: 2, Detail: 2}
	broke, auth := &iscsi.ProtocolError{}, &iscsi.AuthError{}
	tests := []struct{ first, retry, want error }{
		{closed, refused, refused},
		{closed, closed, closed},
		{closed, broke, broke},
		{broke, auth, auth},
		{refused, &iscsi.StatusError{Class: 3}, refused},
		{refused, closed, refused},
		{refused, nil, refused},
		{&iscsi.StatusError{Class: 2}, refused, refused},
		{&iscsi.StatusError{Class: 2, Detail: 0xb}, auth, auth},
		{closed, &iscsi.StatusError{Class: 2}, nil},
	}
	for _, tt := range tests {
		if tt.want == nil { // the retry
			tt.want = tt.retry
		}
		if got := iscsi.MoreSpecific(tt.first, tt.retry); got != tt.want {
			t.Errorf("%v, then %v: %v", tt.first, tt.retry, got)
		}
	}
}

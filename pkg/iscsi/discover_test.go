package iscsi_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

const noTag = 0xffffffff

var portal = iscsi.TargetAddress{Host: "192.0.2.1", Port: 3260}

func discovery() iscsi.DiscoveryConfig {
	return iscsi.DiscoveryConfig{InitiatorName: config().InitiatorName, ISID: [6]byte{0, 2, 0x3d, 0, 0, 9}, Portal: portal}
}

// discover runs a discovery against a correct target.
func discover(t *testing.T, tg *iscsitest.Target, cfg iscsi.DiscoveryConfig) ([]iscsi.DiscoveredTarget, error) {
	t.Helper()
	conn, wait := tg.Start()
	got, err := iscsi.Discover(limited(t), iscsi.NewTCPPipe(conn), cfg)
	if werr := wait(); werr != nil {
		t.Errorf("target: %v", werr)
	}
	return got, err
}

func address(t *testing.T, s string) iscsi.TargetAddress {
	t.Helper()
	a, err := iscsi.ParseTargetAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDiscover(t *testing.T) {
	name := config().TargetName
	tg := &iscsitest.Target{Name: name, Portals: []string{"192.0.2.7:3260,1", "[2001:db8::7]:3261,2"}}
	want := []iscsi.DiscoveredTarget{{Name: name, Addresses: []iscsi.TargetAddress{address(t, "192.0.2.7,1"), address(t, "[2001:db8::7]:3261,2")}}}
	secure := discovery()
	secure.CHAP = mutual()
	staged := discovery()
	staged.SecurityStage = true
	one := discovery()
	one.Target = name
	for what, cfg := range map[string]iscsi.DiscoveryConfig{"plain": discovery(), "one target": one, "CHAP": secure, "security stage": staged} {
		for _, part := range []int{0, 1, 50} {
			tg := &iscsitest.Target{Name: tg.Name, Portals: tg.Portals, Part: part}
			if cfg.CHAP != nil {
				tg.Auth = &iscsitest.Auth{User: user, Secret: secret, TargetUser: targetUser, TargetSecret: targetSecret}
			}
			if part == 1 && what != "plain" {
				continue // a login of more than 32 parts is too long by design
			}
			if part == 1 {
				tg.Part = 12
			}
			got, err := discover(t, tg, cfg)
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s, parts of %d: %v, %s", what, part, err, cmp.Diff(want, got))
			}
		}
	}
	if got, err := discover(t, &iscsitest.Target{}, discovery()); err != nil || len(got) != 0 {
		t.Errorf("no target: %v, %v", got, err)
	}
	if _, err := discover(t, &iscsitest.Target{Auth: &iscsitest.Auth{}}, discovery()); !strings.Contains(fmt.Sprint(err), "refused (0201)") {
		t.Errorf("without CHAP: %v", err)
	}
}

// textStep answers a Text Request; edit may spoil the answer.
func textStep(text string, edit func(r *iscsi.TextResponse)) iscsitest.Step {
	return func(conn net.Conn, p *iscsi.PDU) error {
		req, err := iscsi.ParseTextRequest(p)
		if err != nil {
			return err
		}
		r := &iscsi.TextResponse{Final: true, ITT: req.ITT, TTT: noTag, StatSN: req.ExpStatSN, Data: []byte(text)}
		if edit != nil {
			edit(r)
		}
		out, err := r.PDU()
		if err != nil {
			return err
		}
		return iscsitest.Write(conn, out)
	}
}

// more is a part of a response.
func more(text string, tag uint32) iscsitest.Step {
	return textStep(text, func(r *iscsi.TextResponse) { r.Final, r.Continue, r.TTT = false, true, tag })
}

// discoverScript runs a discovery without CHAP against a script.
func discoverScript(t *testing.T, steps ...iscsitest.Step) ([]iscsi.DiscoveredTarget, []*iscsi.PDU, error) {
	t.Helper()
	conn, wait := iscsitest.Script(append([]iscsitest.Step{iscsitest.Text()}, steps...)).Start()
	got, err := iscsi.Discover(limited(t), iscsi.NewTCPPipe(conn), discovery())
	pdus, werr := wait()
	if werr != nil {
		t.Fatalf("target: %v (%v)", werr, err)
	}
	return got, pdus, err
}

func TestDiscoveredTargets(t *testing.T) {
	answer := string(iscsitest.Join("TargetName=iqn.a", "TargetAddress=192.0.2.7", "TargetName=iqn.b", "X-other=1",
		"TargetName=iqn.c", "TargetAddress=[fe80::1%eth0]:3260,1", "TargetName=iqn.a", "TargetAddress=store.example.com:3261,2"))
	got, _, err := discoverScript(t, textStep(answer, nil), iscsitest.Close())
	if err != nil {
		t.Fatal(err)
	}
	want := []iscsi.DiscoveredTarget{
		{Name: "iqn.a", Addresses: []iscsi.TargetAddress{address(t, "192.0.2.7"), address(t, "store.example.com:3261,2")}},
		{Name: "iqn.b", Addresses: []iscsi.TargetAddress{portal}},
		{Name: "iqn.c", Addresses: []iscsi.TargetAddress{portal}, Warnings: []string{`target address "[fe80::1%eth0]:3260,1": no IPv6 address in brackets`}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestDiscoverOrder: the PDUs when the response comes in parts with NOP-Ins between them.
func TestDiscoverOrder(t *testing.T) {
	ping := func(s iscsitest.Step, wantsAnswer bool) iscsitest.Step {
		return func(conn net.Conn, p *iscsi.PDU) error {
			in := &iscsi.NOPIn{ITT: noTag, TTT: noTag, LUN: [8]byte{1}}
			if wantsAnswer {
				in.TTT = 77
			}
			out, err := in.PDU()
			if err != nil {
				return err
			}
			if err := iscsitest.Write(conn, out); err != nil {
				return err
			}
			if wantsAnswer {
				p, err := iscsi.NewTCPPipe(conn).Receive(t.Context())
				if err != nil {
					return err
				}
				n, err := iscsi.ParseNOPOut(p)
				if err != nil || n.TTT != 77 || n.ITT != noTag || n.LUN[0] != 1 || !n.Immediate {
					t.Errorf("%+v, %v", n, err)
				}
			}
			return s(conn, p)
		}
	}
	bye := func(conn net.Conn, p *iscsi.PDU) error {
		q, err := iscsi.ParseLogoutRequest(p)
		if err != nil || q.Reason != iscsi.LogoutSession || !q.Immediate || q.ITT != 2 || q.ExpStatSN != 3 {
			t.Errorf("%+v, %v", q, err)
		}
		return iscsitest.Write(conn, (&iscsi.LogoutResponse{ITT: q.ITT}).PDU())
	}
	got, pdus, err := discoverScript(t, ping(more("TargetName=iq", 5), true), ping(textStep("n.a\x00", nil), false), bye)
	if err != nil || len(got) != 1 || got[0].Name != "iqn.a" {
		t.Fatalf("%+v, %v", got, err)
	}
	first, err1 := iscsi.ParseTextRequest(pdus[1])
	second, err2 := iscsi.ParseTextRequest(pdus[2])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	want := iscsi.TextRequest{Immediate: true, Final: true, ITT: 1, TTT: noTag, CmdSN: 1, ExpStatSN: 1, Data: []byte("SendTargets=All\x00")}
	if d := cmp.Diff(&want, first); d != "" {
		t.Error(d)
	}
	want.TTT, want.ExpStatSN, want.Data = 5, 2, nil
	if d := cmp.Diff(&want, second); d != "" {
		t.Error(d)
	}
	if got := iscsitest.Keys(pdus[0]); got["SessionType"] != "Discovery" || got["TargetName"] != "" || got["MaxRecvDataSegmentLength"] != "8192" || got["InitialR2T"] != "" {
		t.Errorf("%q", got)
	}
}

func TestDiscoverErrors(t *testing.T) {
	reject := func(conn net.Conn, p *iscsi.PDU) error {
		return iscsitest.Write(conn, iscsi.RejectReason(5).PDU(p.BHS))
	}
	async := func(conn net.Conn, _ *iscsi.PDU) error {
		return iscsitest.Write(conn, iscsi.AsyncMessage{Event: iscsi.AsyncDropConnection}.PDU())
	}
	wrong := func(n int) iscsitest.Step {
		return func(conn net.Conn, _ *iscsi.PDU) error {
			b := make([]byte, n)
			b[0] = byte(iscsi.OpTextResponse)
			b[4] = byte((n - 48) / 4)
			_, err := conn.Write(b)
			return err
		}
	}
	tests := []struct {
		name  string
		steps []iscsitest.Step
		words string
	}{
		{"reject", []iscsitest.Step{reject}, "Reject instead of a Text Response: command not supported (RFC 7143 11.17)"},
		{"async", []iscsitest.Step{async}, "target drops the connection (RFC 7143 11.9)"},
		{"login response", []iscsitest.Step{pdu(func(b *[48]byte) { b[0] = 0x23 })}, "Login Response instead of a Text Response"},
		{"additional header", []iscsitest.Step{wrong(52)}, "additional header of 4 bytes (RFC 7143 11.11)"},
		{"ITT", []iscsitest.Step{textStep("", func(r *iscsi.TextResponse) { r.ITT++ })}, "task tag 0x00000002, the request had 0x00000001"},
		{"F and C", []iscsitest.Step{textStep("", func(r *iscsi.TextResponse) { r.Continue = true })}, "both F and C bit"},
		{"final with a tag", []iscsitest.Step{textStep("", func(r *iscsi.TextResponse) { r.TTT = 3 })}, "final response with transfer tag 0x00000003"},
		{"more without a tag", []iscsitest.Step{textStep("", func(r *iscsi.TextResponse) { r.Final = false })}, "without a transfer tag"},
		{"no answer", []iscsitest.Step{iscsitest.Close()}, "receive Text Response: EOF"},
		{"too many parts", slices.Repeat([]iscsitest.Step{more("", 1)}, 1024), "more than 1024 PDUs"},
		{"too much text", slices.Repeat([]iscsitest.Step{more(strings.Repeat("a", 8192), 1)}, 129), "more than 1048576 bytes"},
		{"declined", []iscsitest.Step{textStep("SendTargets=NotUnderstood\x00", nil)}, "SendTargets=NotUnderstood"},
		{"address of nobody", []iscsitest.Step{textStep("TargetAddress=192.0.2.1\x00", nil)}, "TargetAddress before any TargetName"},
		{"bad name", []iscsitest.Step{textStep("TargetName=a b\x00", nil)}, "byte 0x20 is not allowed in a name"},
		{"bad text", []iscsitest.Step{textStep("TargetName", nil)}, "without its final NUL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := discoverScript(t, tt.steps...)
			if err == nil || got != nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %v, want %q", err, tt.words)
			}
		})
	}
}

func TestDiscoverPings(t *testing.T) {
	flood := func(conn net.Conn, _ *iscsi.PDU) error {
		for {
			out, err := (&iscsi.NOPIn{ITT: noTag, TTT: noTag}).PDU()
			if err != nil {
				return err
			}
			if iscsitest.Write(conn, out) != nil {
				return iscsitest.ErrClose
			}
		}
	}
	conn, wait := iscsitest.Script{iscsitest.Text(), flood}.Start()
	_, err := iscsi.Discover(limited(t), iscsi.NewTCPPipe(conn), discovery())
	if err == nil || !strings.Contains(err.Error(), "more than 63 NOP-Ins") {
		t.Error(err)
	}
	if _, err := wait(); err != nil {
		t.Error(err)
	}
}

func TestLogout(t *testing.T) {
	tg := &iscsitest.Target{}
	conn, wait := tg.Start()
	pipe := iscsi.NewTCPPipe(conn)
	res, err := iscsi.Login(limited(t), pipe, config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := iscsi.Logout(limited(t), pipe, iscsi.LogoutRequest{CmdSN: 1, ExpStatSN: res.ExpStatSN}); err != nil {
		t.Error(err)
	}
	if err := wait(); err != nil || tg.Logins() != 1 || tg.Sessions() != 0 {
		t.Errorf("%v, %d logins, %d sessions", err, tg.Logins(), tg.Sessions())
	}
	answer := func(r iscsi.LogoutResponse) iscsitest.Script {
		return iscsitest.Script{func(conn net.Conn, _ *iscsi.PDU) error { return iscsitest.Write(conn, r.PDU()) }}
	}
	for words, script := range map[string]iscsitest.Script{
		"logout: logout refused (1): connection not found":                      answer(iscsi.LogoutResponse{ITT: 1, Response: 1}),
		"logout: logout refused (2): connection recovery is not supported":      answer(iscsi.LogoutResponse{ITT: 1, Response: 2}),
		"logout: logout refused (3): clean-up failed":                           answer(iscsi.LogoutResponse{ITT: 1, Response: 3}),
		"logout: logout refused (9): response code not in RFC 7143":             answer(iscsi.LogoutResponse{ITT: 1, Response: 9}),
		"response to task tag 0x00000009":                                       answer(iscsi.LogoutResponse{ITT: 9}),
		"logout: receive Logout Response: EOF":                                  {iscsitest.Close()},
		"Logout Response with an additional header of 4 bytes (RFC 7143 11.15)": {iscsitest.Raw(append([]byte{0x26, 0x80, 0, 0, 1}, make([]byte, 47)...))},
	} {
		_, err := iscsi.Logout(limited(t), pipeTo(t, script), iscsi.LogoutRequest{})
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want %q", err, words)
		}
	}
	var refused iscsi.LogoutError
	if _, err := iscsi.Logout(limited(t), pipeTo(t, answer(iscsi.LogoutResponse{ITT: 1, Response: 3})), iscsi.LogoutRequest{}); !errors.As(err, &refused) || refused != 3 {
		t.Error(err)
	}
	conn.Close()
	if _, err := iscsi.Logout(limited(t), pipe, iscsi.LogoutRequest{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

package iscsi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// config is the login of most tests, and of the transcripts.
func config() iscsi.LoginConfig {
	return iscsi.LoginConfig{
		InitiatorName: "iqn.2024-01.com.example:client",
		TargetName:    "iqn.2024-01.com.example:disk",
		ISID:          [6]byte{0x00, 0x02, 0x3d, 0, 0, 1},
		CmdSN:         1,
	}
}

// answers is a complete legal answer to the default offer; override replaces single pairs, and a
// pair without a value leaves its key out.
func answers(override ...string) []string {
	pairs := []string{
		"TargetPortalGroupTag=1", "HeaderDigest=None", "DataDigest=None", "MaxConnections=1",
		"InitialR2T=No", "ImmediateData=Yes", "MaxRecvDataSegmentLength=131072",
		"MaxBurstLength=1048576", "FirstBurstLength=65536", "DefaultTime2Wait=3",
		"DefaultTime2Retain=0", "MaxOutstandingR2T=1", "DataPDUInOrder=Yes",
		"DataSequenceInOrder=Yes", "ErrorRecoveryLevel=0",
	}
	for _, o := range override {
		name, _, hasValue := strings.Cut(o, "=")
		pairs = slices.DeleteFunc(pairs, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		if hasValue {
			pairs = append(pairs, o)
		}
	}
	return pairs
}

// outcome is a login against a script, and the requests that the target received.
type outcome struct {
	res      iscsi.Result
	err      error
	requests []*iscsi.LoginRequest
}

// login runs a login against a script, which has to run to its end.
func login(t *testing.T, cfg iscsi.LoginConfig, script ...iscsitest.Step) outcome {
	t.Helper()
	conn, wait := iscsitest.Script(script).Start()
	var o outcome
	o.res, o.err = iscsi.Login(limited(t), iscsi.NewTCPPipe(conn), cfg)
	pdus, err := wait()
	if err != nil {
		t.Fatalf("target: %v (login: %v)", err, o.err)
	}
	for _, p := range pdus {
		r, err := iscsi.ParseLoginRequest(p)
		if err != nil {
			t.Fatalf("request: %v", err)
		}
		o.requests = append(o.requests, r)
	}
	if o.err != nil && !cmp.Equal(o.res, iscsi.Result{}) {
		t.Errorf("38: a failed login returned %+v", o.res)
	}
	return o
}

// limited is a context that ends a test that hangs.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// text returns the text of the initiator's request number n, from 0.
func (o outcome) text(t *testing.T, n int) []string {
	t.Helper()
	if n >= len(o.requests) {
		t.Fatalf("%d requests, want more than %d (login: %v)", len(o.requests), n, o.err)
	}
	return strings.FieldsFunc(string(o.requests[n].Data), func(r rune) bool { return r == 0 })
}

func (o outcome) ok(t *testing.T) iscsi.Result {
	t.Helper()
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.res
}

// breaks expects a ProtocolError that names the section and contains the words.
func (o outcome) breaks(t *testing.T, section, words string) {
	t.Helper()
	var pe *iscsi.ProtocolError
	if !errors.As(o.err, &pe) {
		t.Fatalf("got %v, want a protocol error about %q", o.err, words)
	}
	if pe.Section != section || !strings.Contains(o.err.Error(), words) {
		t.Errorf("got %v, want section %s and %q", o.err, section, words)
	}
}

// warns expects exactly these warnings, each matched by a part of it.
func (o outcome) warns(t *testing.T, parts ...string) {
	t.Helper()
	got := o.ok(t).Warnings
	if !slices.EqualFunc(got, parts, strings.Contains) {
		t.Errorf("warnings %q, want %q", got, parts)
	}
}

func TestLogin(t *testing.T) {
	want := iscsi.Result{
		Params: iscsi.Params{
			MaxConnections: 1, ImmediateData: true,
			MaxRecvDataSegmentLength: 262144, MaxXmitDataSegmentLength: 131072,
			MaxBurstLength: 1048576, FirstBurstLength: 65536,
			DefaultTime2Wait: 3, MaxOutstandingR2T: 1,
			DataPDUInOrder: true, DataSequenceInOrder: true,
		},
		ExpStatSN: 1, ExpCmdSN: 1, MaxCmdSN: 32, TSIH: 1, TPGT: 1, HasTPGT: true, TargetAlias: "store",
	}
	t.Run("operational stage only", func(t *testing.T) {
		o := login(t, config(), iscsitest.Text(answers("TargetAlias=store")...))
		if d := cmp.Diff(want, o.ok(t)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
	t.Run("security stage first", func(t *testing.T) {
		cfg := config()
		cfg.SecurityStage = true
		o := login(t, cfg, iscsitest.Text("AuthMethod=None", "TargetPortalGroupTag=1"),
			iscsitest.Text(answers("TargetAlias=store", "TargetPortalGroupTag")...))
		want := want
		want.ExpStatSN = 2
		if d := cmp.Diff(want, o.ok(t)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

func TestLoginConfig(t *testing.T) {
	tests := []struct {
		name string
		edit func(*iscsi.LoginConfig)
		want string
	}{
		{"no initiator", func(c *iscsi.LoginConfig) { c.InitiatorName = "" }, "login: InitiatorName: empty"},
		{"long target", func(c *iscsi.LoginConfig) { c.TargetName = strings.Repeat("a", 224) }, "TargetName: 224 bytes, limit 223"},
		{"NUL in name", func(c *iscsi.LoginConfig) { c.TargetName = "iqn\x00X=1" }, "byte 0x00"},
		{"burst range", func(c *iscsi.LoginConfig) { c.Offer.MaxBurstLength = 511 }, `offer: MaxBurstLength="511": want 512 to 16777215`},
		{"burst order", func(c *iscsi.LoginConfig) { c.Offer.MaxBurstLength = 65536 }, "FirstBurstLength=262144: more than MaxBurstLength=65536"},
		{"digest", func(c *iscsi.LoginConfig) { c.Offer.DataDigest = 4 }, "digest policy 4: no such policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config()
			cfg.Offer = iscsi.DefaultOffer()
			tt.edit(&cfg)
			o := login(t, cfg)
			if o.err == nil || !strings.Contains(o.err.Error(), tt.want) {
				t.Errorf("got %v, want %q", o.err, tt.want)
			}
			if len(o.requests) != 0 {
				t.Error("a request was sent")
			}
		})
	}
}

// TestStageError: the errors of the first request that mean that the target refuses a security
// stage. A connection that ended may have been reset on the way.
func TestStageError(t *testing.T) {
	more := iscsitest.Login(func(_ *iscsi.LoginRequest, r *iscsi.LoginResponse) { r.Transit, r.NSG = false, 0 })
	tests := []struct {
		name     string
		security bool
		script   iscsitest.Script
		want     bool
	}{
		{"0200", true, iscsitest.Script{iscsitest.Status(0x0200)}, true},
		{"020b", true, iscsitest.Script{iscsitest.Status(0x020b)}, true},
		{"0201", true, iscsitest.Script{iscsitest.Status(0x0201)}, false},
		{"0202", true, iscsitest.Script{iscsitest.Status(0x0202)}, false},
		{"closed", true, iscsitest.Script{iscsitest.Close()}, false},
		{"closed within a PDU", true, iscsitest.Script{iscsitest.Raw(make([]byte, 20))}, false},
		{"0200 later", true, iscsitest.Script{more, iscsitest.Status(0x0200)}, false},
		{"0200 in the operational stage", true, iscsitest.Script{iscsitest.Text("AuthMethod=None"), iscsitest.Status(0x0200)}, false},
		{"0200 without a security stage", false, iscsitest.Script{iscsitest.Status(0x0200)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config()
			cfg.SecurityStage = tt.security
			o := login(t, cfg, tt.script...)
			if o.err == nil {
				t.Fatal("no error")
			}
			var se *iscsi.StageError
			if got := errors.As(o.err, &se); got != tt.want {
				t.Errorf("StageError is %v, want %v: %v", got, tt.want, o.err)
			}
		})
	}
}

func TestLoginDeadline(t *testing.T) {
	conn, wait := iscsitest.Script{iscsitest.Silence()}.Start()
	ctx, cancel := context.WithTimeout(t.Context(), 20_000_000)
	defer cancel()
	_, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), config())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "receive response 1 (operational stage)") {
		t.Errorf("got %v", err)
	}
	if _, err := wait(); err != nil {
		t.Error(err)
	}
	if _, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), config()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with an ended context: %v", err)
	}
}

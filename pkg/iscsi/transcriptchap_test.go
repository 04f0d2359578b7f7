package iscsi_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// These recordings of tgtd 1.0.85 have CHAP with the accounts of this test and with a fixed
// challenge of the initiator, so that all requests can be compared.

// again runs f against a recording and compares its requests with the recorded ones.
func again(t *testing.T, name string, f func(ctx context.Context, p iscsi.Pipe)) {
	t.Helper()
	tr := transcript(t, name)
	conn, wait := tr.Script().Start()
	f(limited(t), iscsi.NewTCPPipe(conn))
	sent, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	var want []*iscsi.PDU
	for _, p := range tr {
		if !iscsitest.FromTarget(p.Opcode()) {
			want = append(want, p)
		}
	}
	if d := cmp.Diff(want, sent); d != "" {
		t.Errorf("%s: requests, -recorded +sent:\n%s", name, d)
	}
}

// md5 is CHAP in both directions with the one hash that tgtd numbers correctly.
func md5() *iscsi.CHAP {
	c := fixed(mutual())
	c.Algorithms = []iscsi.Algorithm{iscsi.MD5}
	return c
}

func TestTranscriptCHAP(t *testing.T) {
	again(t, "tgtd-chap-mutual", func(ctx context.Context, p iscsi.Pipe) {
		res, err := iscsi.Login(ctx, p, withCHAP(md5()))
		if err != nil || !res.Mutual || res.Algorithm != iscsi.MD5 || len(res.Warnings) != 0 {
			t.Errorf("%+v, %v", res, err)
		}
		if _, err := iscsi.Logout(ctx, p, iscsi.LogoutRequest{CmdSN: 1, ExpStatSN: res.ExpStatSN}); err != nil {
			t.Error(err)
		}
	})
	// tgtd uses 7 for SHA1, and answers the longer response with 0200.
	again(t, "tgtd-chap-numbers", func(ctx context.Context, p iscsi.Pipe) {
		_, err := iscsi.Login(ctx, p, withCHAP(fixed(oneWay())))
		var md5Alone *iscsi.AlgorithmsError
		if !errors.As(err, &md5Alone) || iscsitest.Outcome(err) != "status 0200" {
			t.Errorf("got %v", err)
		}
	})
}

func TestTranscriptDiscovery(t *testing.T) {
	want := []iscsi.DiscoveredTarget{{Name: config().TargetName, Addresses: []iscsi.TargetAddress{address(t, "127.0.0.1:3260,1")}}}
	for name, chap := range map[string]*iscsi.CHAP{"tgtd-discovery": nil, "tgtd-discovery-chap": md5()} {
		again(t, name, func(ctx context.Context, p iscsi.Pipe) {
			cfg := discovery()
			cfg.CHAP = chap
			got, err := iscsi.Discover(ctx, p, cfg)
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %v, %s", name, err, cmp.Diff(want, got))
			}
		})
	}
}

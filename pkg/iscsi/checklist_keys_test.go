package iscsi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

func TestChecklistNegotiation(t *testing.T) {
	t.Run("5 offers of the target are answered", func(t *testing.T) {
		o := login(t, config(), stay(answers("TaskReporting=FastAbort,RFC3720", "iSCSIProtocolLevel=2", "IFMarker=Yes", "OFMarker=No", "IFMarkInt=2048~8192")...), done())
		o.warns(t)
		want := []string{"TaskReporting=RFC3720", "iSCSIProtocolLevel=1", "IFMarker=No", "IFMarkInt=Reject"}
		if got := o.text(t, 1); !slices.Equal(got, want) {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("5 no list entry in common", func(t *testing.T) {
		o := login(t, config(), stay(answers("TaskReporting=FastAbort")...), done())
		if got := o.text(t, 1); !slices.Equal(got, []string{"TaskReporting=Reject"}) {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("5 offer in the last response", func(t *testing.T) {
		login(t, config(), iscsitest.Text(answers("X-late=1", "X-later=1")...)).warns(t, "offered 2 keys, first X-late, in its last response")
	})
}

func TestChecklistUnknownKeys(t *testing.T) {
	t.Run("6 unknown key", func(t *testing.T) {
		o := login(t, config(), stay(answers("X-a=1", "X#NodeArchitecture=risc", "Foo=")...), done())
		o.warns(t)
		want := []string{"X-a=NotUnderstood", "X#NodeArchitecture=NotUnderstood", "Foo=NotUnderstood"}
		if got := o.text(t, 1); !slices.Equal(got, want) {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("6 answer to a key that we never sent", func(t *testing.T) {
		login(t, config(), stay("X-a=NotUnderstood")).breaks(t, "6.2", "we never sent that key")
	})
}

func TestChecklistOnce(t *testing.T) {
	t.Run("7 twice in one response", func(t *testing.T) {
		pairs := append(answers(), "InitialR2T=No")
		login(t, config(), iscsitest.Text(pairs...)).breaks(t, "6.2", "InitialR2T a second time")
	})
	t.Run("7 twice in two responses", func(t *testing.T) {
		login(t, config(), stay("MaxBurstLength=65536"), stay("MaxBurstLength=65536")).breaks(t, "6.2", "MaxBurstLength a second time")
	})
	t.Run("7 our keys go out once", func(t *testing.T) {
		o := login(t, config(), stay(answers()...), done())
		if got := o.text(t, 1); len(got) != 0 {
			t.Errorf("second request: %q", got)
		}
	})
	t.Run("8 digest from our list", func(t *testing.T) {
		cfg := config()
		cfg.Offer = iscsi.DefaultOffer()
		cfg.Offer.HeaderDigest = iscsi.PreferDigest
		if p := login(t, cfg, iscsitest.Text(answers("HeaderDigest=CRC32C")...)).ok(t).Params; !p.HeaderDigest || p.DataDigest {
			t.Errorf("%+v", p)
		}
	})
}

// TestChecklistAnswers: answers that no result function of the RFC can return.
func TestChecklistAnswers(t *testing.T) {
	tests := []struct{ name, pair, section, words string }{
		{"8 digest outside our list", "HeaderDigest=CRC32C", "13.1", "not a legal answer"},
		{"8 list instead of a choice", "DataDigest=None,CRC32C", "13.1", "not a legal answer"},
		{"9 minimum raised", "MaxBurstLength=16776193", "13.13", "not a legal answer"},
		{"9 minimum raised for first burst", "FirstBurstLength=262145", "13.14", "not a legal answer"},
		{"9 connections raised", "MaxConnections=2", "13.2", "not a legal answer"},
		{"9 R2T raised", "MaxOutstandingR2T=2", "13.17", "not a legal answer"},
		{"9 recovery level raised", "ErrorRecoveryLevel=1", "13.20", "not a legal answer"},
		{"9 retain raised", "DefaultTime2Retain=20", "13.16", "not a legal answer"},
		{"9 maximum lowered", "DefaultTime2Wait=1", "13.15", "not a legal answer"},
		{"9 or withdrawn", "DataPDUInOrder=No", "13.18", "not a legal answer"},
		{"9 or withdrawn for sequences", "DataSequenceInOrder=No", "13.19", "not a legal answer"},
		{"9 below the range", "MaxBurstLength=511", "13.13", "want 512 to 16777215"},
		{"9 above the range", "MaxRecvDataSegmentLength=16777216", "13.12", "want 512 to 16777215"},
		{"9 wait above the range", "DefaultTime2Wait=3601", "13.15", "want 0 to 3600"},
		{"9 portal group above the range", "TargetPortalGroupTag=65536", "13.9", "want 0 to 65535"},
		{"9 key of the initiator", "SessionType=Normal", "13.21", "of the initiator only"},
		{"32 security key in the operational stage", "AuthMethod=None", "6.3", "in the operational stage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			login(t, config(), iscsitest.Text(answers(tt.pair)...)).breaks(t, tt.section, tt.words)
		})
	}
}

func TestChecklistOtherOffers(t *testing.T) {
	t.Run("9 and raised", func(t *testing.T) {
		cfg := config()
		cfg.Offer = iscsi.DefaultOffer()
		cfg.Offer.ImmediateData = false
		login(t, cfg, iscsitest.Text(answers("ImmediateData=Yes")...)).breaks(t, "13.11", "not a legal answer")
	})
	t.Run("8 authentication outside our list", func(t *testing.T) {
		cfg := config()
		cfg.SecurityStage = true
		login(t, cfg, iscsitest.Text("AuthMethod=CHAP")).breaks(t, "12.1", "not a legal answer")
	})
	t.Run("32 operational key in the security stage", func(t *testing.T) {
		cfg := config()
		cfg.SecurityStage = true
		login(t, cfg, iscsitest.Text("InitialR2T=No")).breaks(t, "6.3", "in the security stage")
	})
}

func TestChecklistDefaults(t *testing.T) {
	t.Run("10 declined keys have their defaults", func(t *testing.T) {
		o := login(t, config(), iscsitest.Text(answers("MaxBurstLength=Reject", "FirstBurstLength=Irrelevant", "InitialR2T=NotUnderstood")...))
		o.warns(t, "MaxBurstLength=Reject: the default 262144 holds", "InitialR2T=NotUnderstood: the default Yes holds")
		if p := o.res.Params; p.MaxBurstLength != 262144 || p.FirstBurstLength != 65536 || !p.InitialR2T {
			t.Errorf("%+v", p)
		}
	})
	t.Run("10 declined declaration", func(t *testing.T) {
		o := login(t, config(), iscsitest.Text(answers("MaxRecvDataSegmentLength=NotUnderstood")...))
		o.warns(t, "the default 8192 holds")
		if p := o.res.Params; p.MaxXmitDataSegmentLength != 8192 {
			t.Errorf("%+v", p)
		}
	})
}

func TestChecklistRequired(t *testing.T) {
	digest := config()
	digest.Offer = iscsi.DefaultOffer()
	digest.Offer.DataDigest = iscsi.RequireDigest
	t.Run("10 declined key that we need", func(t *testing.T) {
		login(t, digest, iscsitest.Text(answers("DataDigest=NotUnderstood")...)).breaks(t, "13.1", `we need "CRC32C"`)
	})
	t.Run("11 unanswered key that we need", func(t *testing.T) {
		login(t, digest, iscsitest.Text(answers("DataDigest")...)).breaks(t, "6.2", "no answer to DataDigest")
	})
}

func TestChecklistUnanswered(t *testing.T) {
	t.Run("11 no answers at all", func(t *testing.T) {
		o := login(t, config(), done())
		want := iscsi.Params{
			MaxConnections: 1, InitialR2T: true, ImmediateData: true,
			MaxRecvDataSegmentLength: 262144, MaxXmitDataSegmentLength: 8192,
			MaxBurstLength: 262144, FirstBurstLength: 65536, DefaultTime2Wait: 2, DefaultTime2Retain: 20,
			MaxOutstandingR2T: 1, DataPDUInOrder: true, DataSequenceInOrder: true,
		}
		if p := o.ok(t).Params; p != want {
			t.Errorf("%+v", p)
		}
		if w := strings.Join(o.res.Warnings, "\n"); !strings.Contains(w, "did not answer MaxBurstLength") || strings.Contains(w, "DataPDUInOrder") {
			t.Errorf("warnings:\n%s", w)
		}
	})
	t.Run("11 first burst within the burst", func(t *testing.T) {
		o := login(t, config(), iscsitest.Text(answers("MaxBurstLength=32768", "FirstBurstLength=65536")...))
		o.warns(t, "FirstBurstLength 65536 cut to MaxBurstLength 32768")
		if o.res.Params.FirstBurstLength != 32768 {
			t.Errorf("%+v", o.res.Params)
		}
	})
	t.Run("12 nothing holds before full feature phase", func(t *testing.T) {
		cfg := config()
		cfg.Offer = iscsi.DefaultOffer()
		cfg.Offer.DataDigest = iscsi.RequireDigest
		cfg.Offer.HeaderDigest = iscsi.RequireDigest
		// The second exchange would fail if a digest were sent or expected, or if the
		// initiator's text were limited to the 512 bytes that the target declared.
		ask := unknown(40, 30)
		o := login(t, cfg, stay(append(answers("HeaderDigest=CRC32C", "DataDigest=CRC32C", "MaxRecvDataSegmentLength=512"), ask...)...), done())
		if p := o.ok(t).Params; !p.HeaderDigest || !p.DataDigest || p.MaxXmitDataSegmentLength != 512 {
			t.Errorf("%+v", p)
		}
		if got := o.text(t, 1); len(got) != 40 || len(o.requests) != 2 {
			t.Errorf("%d answers in %d requests", len(got), len(o.requests))
		}
	})
}

package iscsi_test

import (
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// A refusal without a reason may be one of the offered digests, so that another login is worth
// while; a refusal with another reason is not.
func TestDigestError(t *testing.T) {
	raw := func(p *iscsi.PDU) iscsitest.Step {
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return iscsitest.Raw(b)
	}
	for name, tt := range map[string]struct {
		step iscsitest.Step
		want bool
	}{
		"Reject":               {raw(iscsi.RejectReason(4).PDU([48]byte{0x43})), true},
		"asynchronous message": {raw(iscsi.AsyncMessage{Event: iscsi.AsyncDropSession}.PDU()), false},
		"closed":               {iscsitest.Close(), true},
		"0200":                 {iscsitest.Status(0x0200), true},
		"020b":                 {iscsitest.Status(0x020b), true},
		"0201":                 {iscsitest.Status(0x0201), false},
		"0301":                 {iscsitest.Status(0x0301), false},
		"no equals sign":       {iscsitest.Text("nonsense"), false},
		"another digest":       {iscsitest.Text("HeaderDigest=None", "DataDigest=SHA-1"), true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config()
			cfg.Offer = iscsi.DefaultOffer()
			cfg.Offer.HeaderDigest, cfg.Offer.DataDigest = iscsi.PreferDigest, iscsi.PreferDigest
			o := login(t, cfg, tt.step)
			var de *iscsi.DigestError
			if got := errors.As(o.err, &de); got != tt.want || o.err == nil {
				t.Errorf("DigestError is %v: %v", got, o.err)
			}
		})
	}
}

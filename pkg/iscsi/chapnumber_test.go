package iscsi_test

import (
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// A target that uses 7 for SHA1 refuses the response. These are the texts of tgtd 1.0.85. A login
// with MD5 alone may succeed then, if MD5 was in the list; after a wrong secret, or with another
// algorithm, it cannot.
func TestMisnumberedAlgorithm(t *testing.T) {
	for _, test := range []struct {
		name       string
		algorithms []iscsi.Algorithm
		chosen     string
		end        iscsitest.Step
		again      bool
	}{
		{"all", nil, "7", iscsitest.Status(0x0200), true},
		{"all, and a target that closes", nil, "7", iscsitest.Close(), true},
		{"wrong secret", nil, "7", iscsitest.Status(0x0201), false},
		{"another algorithm", nil, "6", iscsitest.Status(0x0200), false},
		{"no MD5", []iscsi.Algorithm{iscsi.SHA256, iscsi.SHA1}, "7", iscsitest.Status(0x0200), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config()
			cfg.CHAP = &iscsi.CHAP{User: "machine", Secret: iscsi.NewSecret([]byte("made up for a test")), Algorithms: test.algorithms}
			const challenge = "CHAP_C=0xcb0c2707b8ed875e9832537710f0d3b129f542e3461ab7544cb375abac759a9c93c12ed8dde15db626d7334cc70d3f35c4f6"
			o := login(t, cfg,
				iscsitest.Text("TargetPortalGroupTag=1", "AuthMethod=CHAP"),
				iscsitest.Text("CHAP_A="+test.chosen, "CHAP_I=1", challenge), test.end)
			var again *iscsi.AlgorithmsError
			if o.err == nil || errors.As(o.err, &again) != test.again {
				t.Errorf("%v (%T), want another try: %v", o.err, o.err, test.again)
			}
		})
	}
}

package iscsi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

func TestC9Secrets(t *testing.T) {
	tests := []struct {
		name string
		edit func(*iscsi.CHAP)
		want string
	}{
		{"equal", func(c *iscsi.CHAP) { c.TargetSecret = iscsi.NewSecret([]byte(secret)) }, "the same secret in both directions"},
		{"no secret", func(c *iscsi.CHAP) { c.Secret = iscsi.Secret{} }, "CHAP: no secret"},
		{"no user", func(c *iscsi.CHAP) { c.User = "" }, "no user"},
		{"long user", func(c *iscsi.CHAP) { c.User = strings.Repeat("u", 256) }, "user of 256 bytes, limit 255"},
		{"NUL in user", func(c *iscsi.CHAP) { c.TargetUser = "a\x00b" }, "target's user with a byte 0x00"},
		{"half mutual", func(c *iscsi.CHAP) { c.TargetSecret = iscsi.Secret{} }, "a user of the target without a secret"},
		{"nothing allowed", func(c *iscsi.CHAP) { c.Algorithms = []iscsi.Algorithm{} }, "no algorithm allowed"},
		{"unknown algorithm", func(c *iscsi.CHAP) { c.Algorithms = []iscsi.Algorithm{4} }, "algorithm 4: unknown"},
		{"algorithm twice", func(c *iscsi.CHAP) { c.Algorithms = []iscsi.Algorithm{5, 5} }, "MD5: twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mutual()
			tt.edit(c)
			o := login(t, withCHAP(c))
			if o.err == nil || !strings.Contains(o.err.Error(), tt.want) || len(o.requests) != 0 {
				t.Errorf("got %v, want %q", o.err, tt.want)
			}
			noSecrets(t, o.err.Error())
		})
	}
	c := mutual()
	c.Secret, c.TargetSecret = iscsi.NewSecret([]byte("eleven byte")), iscsi.NewSecret([]byte("exactly12byt"))
	w := c.Warnings()
	if len(w) != 1 || !strings.Contains(w[0], "the initiator's secret has 11 bytes") {
		t.Errorf("warnings %q", w)
	}
	o := login(t, withCHAP(c), method, ask, iscsitest.Prove(iscsi.SHA256, targetUser, "exactly12byt"), agree)
	o.warns(t, "the initiator's secret has 11 bytes")
}

func TestC10OnlyWhatIsConfigured(t *testing.T) {
	o := login(t, withCHAP(oneWay()), method, ask, done(), agree)
	if got := strings.Join(o.text(t, 2), " "); strings.Contains(got, "CHAP_I") || strings.Contains(got, "CHAP_C") {
		t.Errorf("sent %s without being configured for it", got)
	}
	login(t, withCHAP(mutual()), method, ask, done()).denies(t, iscsi.AuthTargetSilent, "neither CHAP_N nor CHAP_R")
	login(t, withCHAP(mutual()), method, ask, stay()).denies(t, iscsi.AuthTargetSilent, "neither")
	login(t, withCHAP(mutual()), method, ask, iscsitest.Text("CHAP_N=disk")).denies(t, iscsi.AuthMalformed, "no CHAP_R")
	login(t, withCHAP(mutual()), method, ask, iscsitest.Text("CHAP_R=0x00")).denies(t, iscsi.AuthMalformed, "no CHAP_N")
}

// TestC11NothingShown: no error contains the values that a target sends back; denies verifies the
// others.
func TestC11NothingShown(t *testing.T) {
	r := "CHAP_R=0x00112233445566778899aabbccddeeff"
	for name, steps := range map[string][]iscsitest.Step{
		"no final NUL":          {method, ask, last(r)},
		"in another stage":      {method, ask, prove, iscsitest.Text(r)},
		"before its turn":       {method, stay(r)},
		"without CHAP":          {stay(r)},
		"twice":                 {method, ask, iscsitest.Text("CHAP_N=disk", r, r)},
		"wrong":                 {method, ask, iscsitest.Text("CHAP_N=disk", r+r[10:])},
		"with a wrong transfer": {method, ask, iscsitest.Login(func(_ *request, a *response) { a.NSG, a.Data = 3, iscsitest.Join(r) })},
	} {
		t.Run(name, func(t *testing.T) {
			o := login(t, withCHAP(mutual()), steps...)
			if o.err == nil || strings.Contains(o.err.Error(), "0011") {
				t.Errorf("got %v", o.err)
			}
		})
	}
}

func TestC12Order(t *testing.T) {
	id, c, n, r := "CHAP_I=1", "CHAP_C=0x"+strings.Repeat("00", 16), "CHAP_N=disk", "CHAP_R=0x00"
	tests := []struct {
		name  string
		steps []iscsitest.Step
		words string
	}{
		{"challenge with the method", []iscsitest.Step{stay("AuthMethod=CHAP", "CHAP_A=5", id, c)}, "CHAP_A before its turn"},
		{"challenge before the method", []iscsitest.Step{stay("AuthMethod=CHAP", id, c)}, "CHAP_I before its turn"},
		{"proof before the initiator's", []iscsitest.Step{method, stay("CHAP_A=5", id, c, n, r)}, "CHAP_N before its turn"},
		{"id a second time", []iscsitest.Step{method, stay("CHAP_A=5", id, c), stay(id)}, "CHAP_I a second time"},
		{"method a second time", []iscsitest.Step{method, stay("CHAP_A=5", id, c), stay("CHAP_A=5")}, "CHAP_A a second time"},
		{"key twice at once", []iscsitest.Step{method, stay("CHAP_A=5", id, id, c)}, "CHAP_I a second time"},
		{"proof unasked", []iscsitest.Step{method, ask, iscsitest.Text(n, r)}, "CHAP_N before its turn or unasked"},
		{"proof after the end", []iscsitest.Step{method, ask, stay(), stay(n)}, "CHAP_N before its turn or unasked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			login(t, withCHAP(oneWay()), tt.steps...).denies(t, iscsi.AuthOrder, tt.words)
		})
	}
	t.Run("challenge to our proof", func(t *testing.T) {
		back := iscsitest.Login(func(_ *request, a *response) { a.Data = iscsitest.Join("CHAP_I=1", "CHAP_C=0x00") })
		login(t, withCHAP(mutual()), method, ask, back).denies(t, iscsi.AuthOrder, "CHAP_I a second time")
	})
	t.Run("CHAP without AuthMethod=CHAP", func(t *testing.T) {
		cfg := config()
		cfg.SecurityStage = true
		login(t, cfg, stay("CHAP_A=5")).denies(t, iscsi.AuthOrder, "AuthMethod=None was offered")
	})
	t.Run("method again", func(t *testing.T) {
		login(t, withCHAP(oneWay()), method, stay("AuthMethod=None")).breaks(t, "6.2", "AuthMethod a second time")
	})
}

// TestAlgorithmsError: the errors after which a login with MD5 alone may succeed.
func TestAlgorithmsError(t *testing.T) {
	only := func(a ...iscsi.Algorithm) *iscsi.CHAP {
		c := oneWay()
		c.Algorithms = a
		return c
	}
	tests := []struct {
		name string
		chap *iscsi.CHAP
		step iscsitest.Step
		want bool
	}{
		{"closed", oneWay(), iscsitest.Close(), true},
		{"Reject", oneWay(), stay("CHAP_A=Reject"), true},
		{"0200", oneWay(), iscsitest.Status(0x0200), true},
		{"0201", oneWay(), iscsitest.Status(0x0201), true},
		{"0207", oneWay(), iscsitest.Status(0x0207), true},
		{"020b", oneWay(), iscsitest.Status(0x020b), true},
		{"0300", oneWay(), iscsitest.Status(0x0300), true},
		{"0301", oneWay(), iscsitest.Status(0x0301), false},
		{"out of order", oneWay(), stay("CHAP_N=a"), false},
		{"MD5 alone", only(iscsi.MD5), iscsitest.Close(), false},
		{"MD5 not allowed", only(iscsi.SHA256, iscsi.SHA1), iscsitest.Close(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := login(t, withCHAP(tt.chap), method, tt.step)
			var ae *iscsi.AlgorithmsError
			if got := errors.As(o.err, &ae); got != tt.want || o.err == nil {
				t.Errorf("AlgorithmsError is %v: %v", got, o.err)
			}
		})
	}
	o := login(t, withCHAP(oneWay()), method, ask, iscsitest.Status(0x0201))
	var ae *iscsi.AlgorithmsError
	if errors.As(o.err, &ae) {
		t.Error("a wrong secret is no reason to try MD5")
	}
	numbers := 0
	for r := range 256 {
		if iscsi.AuthReason(r).String() == fmt.Sprintf("reason %d", r) {
			numbers++
		} else if numbers > 1 { // 0 is no reason, and all from the first unknown one on are numbers
			t.Errorf("reason %d of %v", r, iscsi.AuthReason(r))
		}
	}
	if numbers < 200 || iscsi.AuthChallenge.String() != "target's CHAP challenge is too short" {
		t.Errorf("%d reasons without words", numbers)
	}
}

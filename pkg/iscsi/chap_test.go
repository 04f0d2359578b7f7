package iscsi_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// The tests TestC1 to TestC12 are the rules of the design's reference on login.

const (
	user, secret             = "client", "twelve bytes and more"
	targetUser, targetSecret = "disk", "another secret of the disk"
)

// challenge is CHAP_C of the scripts.
var challenge = []byte("sixteen bytes it is")

func oneWay() *iscsi.CHAP {
	return &iscsi.CHAP{User: user, Secret: iscsi.NewSecret([]byte(secret))}
}

func mutual() *iscsi.CHAP {
	c := oneWay()
	c.TargetUser, c.TargetSecret = targetUser, iscsi.NewSecret([]byte(targetSecret))
	return c
}

func withCHAP(c *iscsi.CHAP) iscsi.LoginConfig {
	cfg := config()
	cfg.CHAP = c
	return cfg
}

var (
	method = stay("AuthMethod=CHAP", "TargetPortalGroupTag=1")
	ask    = iscsitest.Challenge(iscsi.SHA256, 7, challenge)
	prove  = iscsitest.Prove(iscsi.SHA256, targetUser, targetSecret)
	agree  = iscsitest.Text(answers("TargetPortalGroupTag")...)
)

// denies expects an AuthError of that reason with these words.
func (o outcome) denies(t *testing.T, reason iscsi.AuthReason, words string) {
	t.Helper()
	var ae *iscsi.AuthError
	if !errors.As(o.err, &ae) || ae.Reason != reason || !strings.Contains(ae.Error(), words) {
		t.Fatalf("got %v, want %q and %q", o.err, reason, words)
	}
	noSecrets(t, o.err.Error())
}

// noSecrets expects that a text contains no secret, challenge or response.
func noSecrets(t *testing.T, s string) {
	t.Helper()
	for _, hidden := range []string{secret, targetSecret, string(challenge)} {
		if strings.Contains(s, hidden) {
			t.Errorf("C11: %q shows %q", s, hidden)
		}
	}
	if regexp.MustCompile("0x[0-9a-f]{12}").MatchString(s) {
		t.Errorf("C11: %q shows a value", s)
	}
}

func TestC1ListStrongestFirst(t *testing.T) {
	o := login(t, withCHAP(oneWay()), method, ask, done(), agree)
	if got := o.text(t, 1); !slices.Equal(got, []string{"CHAP_A=8,7,6,5"}) {
		t.Errorf("offered %q", got)
	}
	c := oneWay()
	c.Algorithms = []iscsi.Algorithm{iscsi.SHA3_256, iscsi.SHA256}
	o = login(t, withCHAP(c), method, ask, done(), agree)
	if got := o.text(t, 1); !slices.Equal(got, []string{"CHAP_A=8,7"}) {
		t.Errorf("offered %q", got)
	}
	if r := o.ok(t); r.Algorithm != iscsi.SHA256 || r.Mutual || r.Params.MaxBurstLength != 1048576 {
		t.Errorf("%+v", r)
	}
}

func TestC2OneChoice(t *testing.T) {
	strong := oneWay()
	strong.Algorithms = []iscsi.Algorithm{iscsi.SHA256}
	tests := []struct {
		name   string
		chap   *iscsi.CHAP
		pairs  []string
		reason iscsi.AuthReason
		words  string
	}{
		{"weaker than allowed", strong, []string{"CHAP_A=5", "CHAP_I=1", "CHAP_C=0x00"}, iscsi.AuthAlgorithm, "it chose MD5, we offered SHA-256"},
		{"unknown", oneWay(), []string{"CHAP_A=9", "CHAP_I=1", "CHAP_C=0x00"}, iscsi.AuthAlgorithm, "it chose algorithm 9"},
		{"list", oneWay(), []string{"CHAP_A=7,5", "CHAP_I=1", "CHAP_C=0x00"}, iscsi.AuthMalformed, `CHAP_A="7,5": not a number`},
		{"rejected", oneWay(), []string{"CHAP_A=Reject"}, iscsi.AuthAlgorithm, "CHAP_A=Reject to SHA3-256, SHA-256, SHA1, MD5"},
		{"no choice", oneWay(), []string{"CHAP_I=1", "CHAP_C=0x00"}, iscsi.AuthMalformed, "no CHAP_A"},
		{"no id", oneWay(), []string{"CHAP_A=5", "CHAP_C=0x00"}, iscsi.AuthMalformed, "no CHAP_I"},
		{"no challenge", oneWay(), []string{"CHAP_A=5", "CHAP_I=1"}, iscsi.AuthMalformed, "no CHAP_C"},
		{"id too big", oneWay(), []string{"CHAP_A=5", "CHAP_I=256", "CHAP_C=0x00"}, iscsi.AuthMalformed, `CHAP_I="256": want 0 to 255`},
		{"id no number", oneWay(), []string{"CHAP_A=5", "CHAP_I=one", "CHAP_C=0x00"}, iscsi.AuthMalformed, `CHAP_I="one"`},
		{"nothing", oneWay(), nil, iscsi.AuthSkipped, "no challenge in answer to CHAP_A=8,7,6,5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			login(t, withCHAP(tt.chap), method, stay(tt.pairs...)).denies(t, tt.reason, tt.words)
		})
	}
}

func TestC3OneRequestForAllProof(t *testing.T) {
	c := mutual()
	c.Random = bytes.NewReader(append([]byte{9}, bytes.Repeat([]byte{0xab}, 32)...))
	o := login(t, withCHAP(c), method, ask, prove, agree)
	r := o.ok(t)
	if !r.Mutual || r.Algorithm != iscsi.SHA256 {
		t.Errorf("%+v", r)
	}
	want := []string{
		"CHAP_N=" + user,
		"CHAP_R=" + iscsi.EncodeBinary(iscsitest.Response(iscsi.SHA256, 7, secret, challenge)),
		"CHAP_I=9", "CHAP_C=0x" + strings.Repeat("ab", 32),
	}
	if got := o.text(t, 2); !slices.Equal(got, want) {
		t.Errorf("sent %q", got)
	}
	if q := o.requests[2]; !q.Transit || q.NSG != iscsi.StageOperational || o.requests[1].Transit || o.requests[0].Transit {
		t.Error("the stage is left with the proof, not before")
	}
}

func TestC4Response(t *testing.T) {
	for _, a := range iscsi.Algorithms() {
		t.Run(a.String(), func(t *testing.T) {
			ask := iscsitest.Challenge(a, 255, challenge)
			o := login(t, withCHAP(mutual()), method, ask, iscsitest.Prove(a, targetUser, targetSecret), agree)
			if r := o.ok(t); r.Algorithm != a || !r.Mutual {
				t.Errorf("%+v", r)
			}
			got := o.text(t, 2)[1]
			if want := "CHAP_R=" + iscsi.EncodeBinary(iscsitest.Response(a, 255, secret, challenge)); got != want {
				t.Errorf("sent %s, want %s", got, want)
			}
			short := iscsitest.Text("CHAP_N="+targetUser, "CHAP_R=0x"+strings.Repeat("00", 15))
			login(t, withCHAP(mutual()), method, ask, short).denies(t, iscsi.AuthMalformed, "CHAP_R of 15 bytes, "+a.String())
			wrong := iscsitest.Prove(a, targetUser, targetSecret+"x")
			login(t, withCHAP(mutual()), method, ask, wrong).denies(t, iscsi.AuthTargetResponse, "CHAP response is wrong")
		})
	}
}

// TestResponse: hashes of 01 "abc" 02 03 that other programs made (md5sum, sha1sum, sha256sum,
// openssl), so that the script and the initiator do not share a mistake.
func TestResponse(t *testing.T) {
	for a, want := range map[iscsi.Algorithm]string{
		iscsi.MD5: "933b6a2a0e07817b413af749f222829c", iscsi.SHA1: "39ff6a01831d0a5f0162ed2966c18df77954e1ca", iscsi.SHA256: "1d474fdc450d9e4c6c613d58d0d73221d9d1789893f8d3ae86d23946c9ad2f94", iscsi.SHA3_256: "bb15481030b11c902823d6e8c3b3e6859c1f39ec4f8b124c87f1625d90613171",
	} {
		if got := hex.EncodeToString(iscsitest.Response(a, 1, "abc", []byte{2, 3})); got != want {
			t.Errorf("%v: %s, want %s", a, got, want)
		}
	}
}

func TestC5Lengths(t *testing.T) {
	say := func(c string) iscsitest.Step { return stay("CHAP_A=5", "CHAP_I=1", "CHAP_C="+c) }
	bad := map[string]string{
		"0x": "empty", "0b": "empty", "": "neither 0x nor 0b", "abc": "neither 0x nor 0b", "0xzz": "does not belong",
		"0b====":                          "does not belong",
		"0x" + strings.Repeat("00", 1025): "1025 bytes, limit 1024",
		"0b" + strings.Repeat("AAAA", 342) + "AA==": "limit 1024 bytes",
	}
	for c, words := range bad {
		login(t, withCHAP(oneWay()), method, say(c)).denies(t, iscsi.AuthMalformed, "CHAP_C: binary value ")
		if o := login(t, withCHAP(oneWay()), method, say(c)); !strings.Contains(o.err.Error(), words) {
			t.Errorf("%v, want %q", o.err, words)
		}
	}
	for c, warning := range map[string]string{
		"0x" + strings.Repeat("ff", 1024): "",
		"0B" + strings.Repeat("AAAA", 6):  "",
		"0x" + strings.Repeat("00", 8):    "CHAP challenge has 8 bytes only",
		"0x" + strings.Repeat("00", 15):   "CHAP challenge has 15 bytes only",
	} {
		o := login(t, withCHAP(oneWay()), method, say(c), done(), agree)
		if got := strings.Join(o.ok(t).Warnings, ""); !strings.Contains(got, warning) || warning == "" && got != "" {
			t.Errorf("%.20s: warnings %q", c, got)
		}
	}
	for c, words := range map[string]string{"0X0": "1 bytes, at least 8", "0x" + strings.Repeat("5a", 7): "7 bytes, at least 8"} {
		o := login(t, withCHAP(oneWay()), method, say(c))
		o.denies(t, iscsi.AuthChallenge, words)
		if len(o.requests) != 2 {
			t.Errorf("%s: %d requests: a response was sent", c, len(o.requests))
		}
	}
	for _, r := range []string{"0x", "abc", "0x" + strings.Repeat("00", 1025)} {
		login(t, withCHAP(mutual()), method, ask, iscsitest.Text("CHAP_N="+targetUser, "CHAP_R="+r)).denies(t, iscsi.AuthMalformed, "CHAP_R: binary value")
	}
}

func TestC6OwnChallenge(t *testing.T) {
	var seen []string
	for range 3 {
		o := login(t, withCHAP(mutual()), method, ask, prove, agree)
		o.ok(t)
		c := o.text(t, 2)[3]
		if len(c) != len("CHAP_C=0x")+2*32 || slices.Contains(seen, c) {
			t.Errorf("challenge %s after %q", c, seen)
		}
		seen = append(seen, c)
	}
	same := bytes.Repeat([]byte{0x5a}, 32)
	c := mutual()
	c.Random = bytes.NewReader(append([]byte{1}, same...))
	o := login(t, withCHAP(c), method, iscsitest.Challenge(iscsi.SHA256, 1, same))
	o.denies(t, iscsi.AuthReflected, "both challenges are equal")
	c.Random = iotest.ErrReader(io.ErrNoProgress)
	if o := login(t, withCHAP(c), method, ask); !errors.Is(o.err, io.ErrNoProgress) || len(o.requests) != 2 {
		t.Errorf("%v after %d requests", o.err, len(o.requests))
	}
}

func TestC7ReflectedResponse(t *testing.T) {
	o := login(t, withCHAP(mutual()), method, ask, iscsitest.Prove(iscsi.SHA256, targetUser, secret))
	o.denies(t, iscsi.AuthReflected, "CHAP_R is the response of the initiator's own secret")
}

func TestC8TargetUser(t *testing.T) {
	o := login(t, withCHAP(mutual()), method, ask, iscsitest.Prove(iscsi.SHA256, "mallory\n", targetSecret))
	o.denies(t, iscsi.AuthTargetUser, `"mallory\n", expected "disk"`)
	any := mutual()
	any.TargetUser = ""
	if r := login(t, withCHAP(any), method, ask, iscsitest.Prove(iscsi.SHA256, "whoever", targetSecret), agree).ok(t); !r.Mutual {
		t.Errorf("%+v", r)
	}
}

package bootspec

import (
	"strings"
	"testing"
)

func TestParsePortal(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.1.180":           "10.1.1.180:3260",
		"10.1.1.180:860":       "10.1.1.180:860",
		"store.example.com":    "store.example.com:3260",
		"store:3261":           "store:3261",
		"2001:db8::7":          "[2001:db8::7]:3260",
		"[2001:db8::7]":        "[2001:db8::7]:3260",
		"[fe80::1%eth0]:3261":  "[fe80::1%eth0]:3261",
		"":                     "",
		"10.1.1":               "",
		"10.1.1.180:0":         "",
		"10.1.1.180:x":         "",
		"10.1.1.180,1":         "",
		"u:sesame-open-12@h":   "",
		"iscsi://10.1.1.180/x": "",
	} {
		got, err := ParsePortal(text)
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), "sesame")):
			t.Errorf("%q: %v, %v", text, got, err)
		case want != "" && (err != nil || got.String() != want):
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

// The line for discovery takes precedence; that of a target is for a session that requests this
// target alone.
func TestDiscoveryCHAP(t *testing.T) {
	const lines = "iqn.x u2 sesame-open-12 t2 sesame-shut-12\niqn.y u3 sesame-open-13\n"
	for _, c := range []struct{ text, target, user, err string }{
		{"discovery u sesame-open-12\n" + lines, "", "u", ""},
		{lines + "discovery u sesame-open-12\n", "iqn.x", "u", ""},
		{lines, "iqn.X", "u2", ""},
		{lines, "", "", "no line for discovery sessions: write discovery USER SECRET"},
		{lines, "iqn.z", "", "no line for target iqn.z, and none for discovery sessions: write discovery USER SECRET"},
		{"", "", "", "no line for discovery sessions"},
		{"* u sesame-open-12\n", "", "", "line 1: the first field is not a target name"},
		{"discovery u sesame-open-12 t sesame-open-12\n", "", "", "the same secret in both directions"},
	} {
		got, err := DiscoveryCHAP([]byte(c.text), c.target)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%q for %q: error %v, want %s", c.text, c.target, err, c.err)
			}
		case err != nil || got.User != c.user || string(got.Secret.Bytes()) != "sesame-open-12" || got.Mutual() != (c.user == "u2"):
			t.Errorf("%q for %q: %+v, %v", c.text, c.target, got, err)
		}
	}
	if _, err := ParseCredentials([]byte("discovery u sesame-open-12\n")); err == nil {
		t.Error("an image may have a line for discovery")
	}
}

func TestInitiatorName(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"# InitiatorName=iqn.a\n":        "",
		"## x\nInitiatorName=iqn.b \n":   "iqn.b",
		"GenerateName=yes\n":             "",
		"InitiatorName=iqn.c\nOther=x\n": "iqn.c",
	} {
		if got := InitiatorName(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

package iscsi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

func TestStatus(t *testing.T) {
	tests := []struct {
		code      iscsi.Status
		retryable bool
		want      string
	}{
		{0x0200, false, "refused (0200): initiator error: the target rejects the login request"},
		{0x0201, false, "refused (0201): authentication failed: wrong user or secret, or the target requires authentication"},
		{0x0202, false, "refused (0202): this initiator name is not in the target's access list"},
		{0x0203, true, "refused (0203): this portal has no target of that name"},
		{0x0204, true, "refused (0204): the target has been removed"},
		{0x0205, false, "refused (0205): the target does not support this version of iSCSI"},
		{0x0206, true, "refused (0206): too many connections of this initiator name and ISID"},
		{0x0207, true, "refused (0207): missing parameter: the request has no initiator name, target name or session type"},
		{0x0208, false, "refused (0208): the connection cannot be added to this session"},
		{0x0209, false, "refused (0209): this portal does not serve sessions of this type"},
		{0x020a, true, "refused (020a): the target does not know the session"},
		{0x020b, false, "refused (020b): the request does not fit the state of the login"},
		{0x02ff, false, "refused (02ff): status code not in RFC 7143"},
		{0x0300, true, "not served (0300): target error"},
		{0x0301, true, "not served (0301): the target's service is not available now"},
		{0x0302, true, "not served (0302): the target is out of resources"},
		{0x0377, true, "not served (0377): status code not in RFC 7143"},
		{0x0900, false, "refused (0900): status code not in RFC 7143"},
	}
	for _, tt := range tests {
		o := login(t, config(), iscsitest.Status(tt.code))
		var se *iscsi.StatusError
		if !errors.As(o.err, &se) {
			t.Fatalf("%04x: %v", tt.code, o.err)
		}
		if admin := tt.code == 0x0201 || tt.code == 0x0202; se.NeedsAdministrator() != admin {
			t.Errorf("%04x: needs an administrator: %v", tt.code, !admin)
		}
		if se.Error() != tt.want || se.Retryable() != tt.retryable || isRedirect(se) || se.Code() != tt.code {
			t.Errorf("%04x: %q, retryable %v", tt.code, se, se.Retryable())
		}
	}
}

func TestRedirect(t *testing.T) {
	o := login(t, config(), iscsitest.Status(0x0102, "TargetAddress=[2001:db8::1]:3261,2", "X-a=1", "TargetAddress=store.example.com"))
	var se *iscsi.StatusError
	if !errors.As(o.err, &se) {
		t.Fatal(o.err)
	}
	want := &iscsi.StatusError{
		Class: 1, Detail: 2,
		Addresses: []iscsi.TargetAddress{
			{Host: "2001:db8::1", Port: 3261, TPGT: 2, HasTPGT: true},
			{Host: "store.example.com", Port: 3260},
		},
	}
	if d := cmp.Diff(want, se); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := se.Error(); got != "redirected (0102): target moved permanently to [2001:db8::1]:3261,2 or store.example.com:3260" {
		t.Error(got)
	}
	if !isRedirect(se) || se.Retryable() {
		t.Error("a redirect is followed, not waited for")
	}
	login(t, config(), iscsitest.Status(0x0101)).breaks(t, "11.13.5", "without a TargetAddress")
	login(t, config(), iscsitest.Status(0x0101, "TargetAddress=a\n<0>b")).breaks(t, "13.8", `target address "a\n<0>b": bad host name`)
	login(t, config(), iscsitest.Status(0x0101, "nonsense")).breaks(t, "6.1", "equals sign")
}

func TestParseTargetAddress(t *testing.T) {
	good := map[string]string{
		"192.0.2.7":                "192.0.2.7:3260",
		"192.0.2.7:3261":           "192.0.2.7:3261",
		"192.0.2.7:860,65535":      "192.0.2.7:860,65535",
		"store-1.example.com,1":    "store-1.example.com:3260,1",
		"[2001:db8::1]":            "[2001:db8::1]:3260",
		"[2001:db8::1],0":          "[2001:db8::1]:3260,0",
		"[2001:db8::1]:65535,0x10": "[2001:db8::1]:65535,16",
		strings.Repeat("a", 253):   strings.Repeat("a", 253) + ":3260",
	}
	for s, want := range good {
		if a, err := iscsi.ParseTargetAddress(s); err != nil || a.String() != want {
			t.Errorf("%s: %v, %v", s, a, err)
		}
	}
	bad := map[string]string{
		"": "bad host name", ":3260": "bad host name", "a b": "bad host name", "a/b": "bad host name",
		strings.Repeat("a", 254): "bad host name",
		"a:":                     "bad port", "a:0": "bad port", "a:65536": "bad port", "a:+1": "bad port", "a:1:2": "bad port", "2001:db8::1": "bad port",
		"a,":        "bad portal group tag",
		"a,65536":   "bad portal group tag",
		"a,1,2":     "bad portal group tag",
		"[::1":      "no IPv6 address in brackets",
		"[1.2.3.4]": "no IPv6 address in brackets", "[fe80::1%eth0]": "no IPv6 address in brackets", "[]": "no IPv6 address in brackets",
		"[::1]3260": "text after the bracket", "[::1]:": "bad port",
	}
	for s, want := range bad {
		if _, err := iscsi.ParseTargetAddress(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
}

// A text of the target is in an error up to 200 bytes, and what is cut is marked.
func TestQuotedText(t *testing.T) {
	for n, want := range map[int]string{200: strings.Repeat("x", 200) + `"`, 201: strings.Repeat("x", 200) + `"...`} {
		_, err := iscsi.ParseLUN(strings.Repeat("x", n))
		if err == nil || !strings.Contains(err.Error(), `"`+want) || strings.Contains(err.Error(), `"...`) != (n > 200) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func isRedirect(e *iscsi.StatusError) bool {
	_, _, ok := e.Redirect()
	return ok
}

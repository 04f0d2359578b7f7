package session

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

const (
	ourSecret   = "correct-horse-battery"
	theirSecret = "amber-violin-glacier"
)

// prove gives a session's configuration its secrets.
func prove(secret, target, algorithms string) func(*Config) {
	return func(c *Config) {
		chap := &c.Target.CHAP
		chap.User = bootspec.Value[string]{V: "machine", From: "iscsi_u="}
		chap.Secret = bootspec.Value[iscsi.Secret]{V: iscsi.NewSecret([]byte(secret)), From: "iscsi_w="}
		if target != "" {
			chap.TargetUser = bootspec.Value[string]{V: "storage", From: "iscsi_U="}
			chap.TargetSecret = bootspec.Value[iscsi.Secret]{V: iscsi.NewSecret([]byte(target)), From: "iscsi_W="}
		}
		if algorithms != "" {
			c.Login.Algorithms = bootspec.Value[string]{V: algorithms, From: "iscsi_chap="}
		}
	}
}

func guarded(t *testing.T, auth iscsitest.Auth) netip.AddrPort {
	t.Helper()
	auth.User, auth.Secret, auth.TargetUser, auth.TargetSecret = "machine", ourSecret, "storage", theirSecret
	server, err := iscsitest.Listen((&iscsitest.Target{Auth: &auth}).Serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.Addr()
}

// The kernel gets the credentials that iscsid needs for a login.
func TestCHAP(t *testing.T) {
	for _, target := range []string{"", theirSecret} {
		s, k := sessionAt(t, prove(ourSecret, target, ""), guarded(t, iscsitest.Auth{}))
		notes, err := s.Login(t.Context())
		if err != nil || len(notes.Warnings) != 0 {
			t.Fatal(notes, err)
		}
		got := map[uint32]string{}
		for _, r := range k.Requests() {
			if r.Type == kerneltest.SetParam && r.Param >= 22 && r.Param <= 25 {
				got[r.Param] = r.Value
			}
		}
		if got[22] != "machine" || got[24] != ourSecret || got[25] != target || (got[23] == "storage") != (target != "") {
			t.Errorf("the kernel has %v", got)
		}
	}
}

// Secrets with a zero byte are not sent to the kernel, and weak secrets have a warning.
func TestSecretWarnings(t *testing.T) {
	server, err := iscsitest.Listen((&iscsitest.Target{Auth: &iscsitest.Auth{User: "machine", Secret: "a\x00b"}}).Serve)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	s, k := sessionAt(t, prove("a\x00b", "", ""), server.Addr())
	notes, err := s.Login(t.Context())
	if err != nil || len(notes.Warnings) != 2 || !strings.Contains(notes.Warnings[0], "can be guessed") || !strings.Contains(notes.Warnings[1], "zero byte") {
		t.Errorf("%q, %v", notes, err)
	}
	for _, r := range k.Requests() {
		if r.Type == kerneltest.SetParam && r.Param >= 22 && r.Param <= 25 {
			t.Errorf("the kernel got parameter %d", r.Param)
		}
	}
}

// fromFile gives a session's configuration the CHAP of a line of the credentials file.
func fromFile(t *testing.T, line string) func(*Config) {
	t.Helper()
	plan, err := bootspec.Parse(cmdline.Parse("iscsi_t=" + targetName + " iscsi_a=10.1.1.180 iscsi_i=" + initiator + " iscsi_i_ip=10.1.1.165/24"))
	if err != nil {
		t.Fatal(err)
	}
	if plan.Credentials, err = bootspec.ParseCredentials([]byte(targetName + " " + line)); err != nil {
		t.Fatal(err)
	}
	spec, _, err := plan.Resolve(bootspec.NetFacts{})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Target.CHAP = spec.Targets[0].CHAP }
}

// A target has to give the user and know the secret that the credentials file has for it. Any user
// is accepted where that is empty, and a target needs neither where the line has neither.
func TestTargetOfCredentialsFile(t *testing.T) {
	for name, tt := range map[string]struct{ line, text, hint string }{
		"user":         {"machine " + ourSecret + " storage " + theirSecret, "", ""},
		"any user":     {"machine " + ourSecret + ` "" ` + theirSecret, "", ""},
		"one way":      {"machine " + ourSecret, "", ""},
		"other user":   {"machine " + ourSecret + " Storage " + theirSecret, `: authentication: target has another CHAP name: "storage", expected "Storage"`, bootspec.CredentialsPath},
		"other secret": {"machine " + ourSecret + " storage another-violin-glacier", ": authentication: target's CHAP response is wrong", bootspec.CredentialsPath},
		"any user, other secret": {
			"machine " + ourSecret + ` "" another-violin-glacier`, ": authentication: target's CHAP response is wrong", bootspec.CredentialsPath,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := sessionAt(t, fromFile(t, tt.line), guarded(t, iscsitest.Auth{}))
			_, err := s.Login(t.Context())
			if tt.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var failed *LoginError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(failed.Hint(), tt.hint) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A challenge that is too short gets no response, and there is a hint.
func TestShortChallenge(t *testing.T) {
	for length, refused := range map[int]bool{7: true, 8: false} {
		s, _ := sessionAt(t, prove(ourSecret, "", ""), guarded(t, iscsitest.Auth{ChallengeLen: length}))
		_, err := s.Login(t.Context())
		var failed *LoginError
		if errors.As(err, &failed) != refused {
			t.Fatalf("challenge of %d bytes: %v", length, err)
		}
		if refused && (!strings.Contains(err.Error(), "challenge is too short: 7 bytes") || !strings.Contains(failed.Hint(), "update the target")) {
			t.Errorf("%v, hint %s", err, failed.Hint())
		}
	}
}

// After a refusal by either side the login is tried three times, two seconds apart.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		edit       func(*Config)
		text, hint string
	}{
		"our secret":       {prove("another-horse-battery", "", ""), " refused (0201): authentication failed", "iscsi_w="},
		"target's secret":  {prove(ourSecret, "another-violin-glacier", ""), ": authentication: target's CHAP response is wrong", "iscsi_W="},
		"no secret at all": {nil, " refused (0201): authentication failed", "without any, the target requires CHAP"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := sessionAt(t, tt.edit, guarded(t, iscsitest.Auth{}))
			for attempt := 1; attempt <= 4; attempt++ {
				_, err := s.Login(t.Context())
				var failed *LoginError
				if !errors.As(err, &failed) {
					t.Fatalf("got %v", err)
				}
				if !strings.Contains(err.Error(), tt.text) || !strings.Contains(failed.Hint(), tt.hint) || strings.Contains(err.Error(), "horse") {
					t.Errorf("got %v, hint %s", err, failed.Hint())
				}
				if failed.Retryable() != (attempt < 3) || failed.Pause() != 2*time.Second {
					t.Errorf("attempt %d retryable %v, pause %v", attempt, failed.Retryable(), failed.Pause())
				}
			}
		})
	}
}

// A target that does not support CHAP gets no session if CHAP is configured.
func TestNoDowngrade(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Text("AuthMethod=None")))
	s, _ := sessionAt(t, prove(ourSecret, "", ""), tg.portal)
	_, err := s.Login(t.Context())
	var auth *iscsi.AuthError
	if !errors.As(err, &auth) || auth.Reason != iscsi.AuthNone {
		t.Errorf("got %v", err)
	}
	var failed *LoginError
	if !errors.As(err, &failed) || !strings.Contains(failed.Hint(), "does not request authentication") {
		t.Errorf("hint %v", failed.Hint())
	}
}

// A target that does not support lists of algorithms is offered MD5 alone, if that is allowed.
func TestOldTarget(t *testing.T) {
	for _, tt := range []struct {
		algorithms string
		want       bool
	}{{"", true}, {"sha256,md5", true}, {"sha256,sha1", false}} {
		for _, status := range []iscsi.Status{0x0200, 0x0201, iscsitest.Closes} {
			s, _ := sessionAt(t, prove(ourSecret, "", tt.algorithms), guarded(t, iscsitest.Auth{NoLists: status}))
			notes, err := s.Login(t.Context())
			if (err == nil) != tt.want || tt.want && !strings.Contains(strings.Join(notes.Warnings, ""), "iscsi_chap=md5") {
				t.Errorf("%s, %04x: %q, %v", tt.algorithms, status, notes, err)
			}
		}
	}
}

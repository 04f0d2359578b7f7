package session

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

func digestOf(d iscsi.DigestPolicy) bootspec.Value[iscsi.DigestPolicy] {
	return bootspec.Value[iscsi.DigestPolicy]{V: d, From: "iscsi_header_digest="}
}

// digest sets the digests of a configuration.
func digest(header, data iscsi.DigestPolicy) func(*Config) {
	return func(c *Config) { c.Login.HeaderDigest, c.Login.DataDigest = digestOf(header), digestOf(data) }
}

// toldDigests are the kernel's parameters of the last login: header, data.
func toldDigests(k *kerneltest.Kernel) string {
	got := ""
	for _, r := range k.Requests() {
		if r.Type == kerneltest.SetParam && (r.Param == 2 || r.Param == 3) {
			got += r.Value
		}
	}
	return got[max(0, len(got)-2):]
}

// Digests are negotiated as configured, and the kernel gets the result. By default a target that
// requires them has them, and one that prefers None, or that does not support lists, has none.
func TestDigests(t *testing.T) {
	const header, data = "HeaderDigest", "DataDigest"
	requires := func(keys ...string) *iscsitest.Target { return &iscsitest.Target{RequireCRC32C: keys} }
	for name, tt := range map[string]struct {
		edit   func(*Config)
		target *iscsitest.Target
		want   string // empty: the login fails
		hint   string
	}{
		"no word":                      {nil, &iscsitest.Target{Digest: "CRC32C"}, "00", ""},
		"no word, no CRC32C":           {nil, &iscsitest.Target{}, "00", ""},
		"requires for headers":         {nil, requires(header), "10", ""},
		"requires for data":            {nil, requires(data), "01", ""},
		"requires for both":            {nil, requires(header, data), "11", ""},
		"requires for both, with CHAP": {prove(ourSecret, "", ""), &iscsitest.Target{RequireCRC32C: []string{header, data}, Auth: &iscsitest.Auth{User: "machine", Secret: ourSecret}}, "11", ""},
		"refuses lists":                {nil, &iscsitest.Target{NoDigestLists: 0x0200}, "00", ""},
		"closes on lists":              {nil, &iscsitest.Target{NoDigestLists: iscsitest.Closes}, "00", ""},
		"refuses all lists":            {prove(ourSecret, "", ""), &iscsitest.Target{NoDigestLists: 0x0200, Auth: &iscsitest.Auth{User: "machine", Secret: ourSecret, NoLists: 0x0200}}, "00", ""},
		"refuses lists, preferred":     {digest(iscsi.PreferDigest, iscsi.NoDigest), &iscsitest.Target{NoDigestLists: 0x0200}, "00", ""},
		"requires one digest, without lists": {
			nil, &iscsitest.Target{NoDigestLists: 0x0200, RequireCRC32C: []string{header}}, "",
			"supports no list of digests, write iscsi_header_digest=require iscsi_data_digest=require",
		},
		"preferred, none":      {digest(iscsi.PreferDigest, iscsi.NoDigest), &iscsitest.Target{Digest: "CRC32C"}, "10", ""},
		"preferred, required":  {digest(iscsi.PreferDigest, iscsi.RequireDigest), &iscsitest.Target{Digest: "CRC32C"}, "11", ""},
		"preferred, no CRC32C": {digest(iscsi.PreferDigest, iscsi.PreferDigest), &iscsitest.Target{}, "00", ""},
		"required, no CRC32C":  {digest(iscsi.RequireDigest, iscsi.NoDigest), &iscsitest.Target{}, "", "CRC32C alone was offered: set it up at the target, or write iscsi_header_digest=accept"},
		"none, required":       {digest(iscsi.NoDigest, iscsi.NoDigest), requires(data), "", "if the target requires CRC32C, write iscsi_header_digest=accept iscsi_data_digest=accept"},
		"none for data only":   {digest(iscsi.AcceptDigest, iscsi.NoDigest), requires(data), "", "if the target requires CRC32C, write iscsi_data_digest=accept"},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := iscsitest.Listen(tt.target.Serve)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = server.Close() }()
			s, k := sessionAt(t, tt.edit, server.Addr())
			notes, err := s.Login(t.Context())
			if got := toldDigests(k); got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, want %q, %v", got, tt.want, err)
			}
			if lists := strings.Contains(strings.Join(notes.Warnings, "\n"), "rejected the digest list"); lists != (err == nil && tt.target.NoDigestLists != 0) {
				t.Errorf("warnings %q", notes.Warnings)
			}
			var failed *LoginError
			if errors.As(err, &failed) && (tt.hint == "" || !strings.Contains(failed.Hint(), tt.hint) || failed.Retryable()) {
				t.Errorf("hint %q, want %q; retryable: %v", failed.Hint(), tt.hint, failed.Retryable())
			}
		})
	}
}

// The warning after a rejected list does not name a digest that is required.
func TestDigestListAdvice(t *testing.T) {
	for want, edit := range map[string]func(*Config){
		"(set iscsi_header_digest=none and iscsi_data_digest=none to avoid": nil,
		"(set iscsi_data_digest=none to avoid":                              digest(iscsi.RequireDigest, iscsi.AcceptDigest),
		"(set iscsi_header_digest=none to avoid":                            digest(iscsi.PreferDigest, iscsi.NoDigest),
	} {
		target := &iscsitest.Target{NoDigestLists: 0x0200, Digest: "CRC32C"}
		server, err := iscsitest.Listen(target.Serve)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := sessionAt(t, edit, server.Addr())
		if notes, err := s.Login(t.Context()); err != nil || !strings.Contains(strings.Join(notes.Warnings, "\n"), want) {
			t.Errorf("%q, %v, want %s", notes.Warnings, err, want)
		}
		_ = server.Close()
	}
}

// Another process logs in again with the digests that the first login had, and by one connection
// also at a target that does not support lists.
func TestDigestsAgain(t *testing.T) {
	for want, target := range map[string]*iscsitest.Target{
		"11": {RequireCRC32C: []string{"HeaderDigest", "DataDigest"}},
		"00": {NoDigestLists: 0x0200},
	} {
		var connections atomic.Int32
		server, err := iscsitest.Listen(func(conn net.Conn) error {
			connections.Add(1)
			return target.Serve(conn)
		})
		if err != nil {
			t.Fatal(err)
		}
		k := kerneltest.New()
		tr := k.Transport()
		first := startSession(t, tr, Config{Initiator: initiator, Target: specOf(server.Addr())})
		if _, err := first.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		states, err := ParseStates(written(t, first.State()))
		if err != nil {
			t.Fatal(err)
		}
		before := connections.Load()
		s := Reopen(tr, states[0])
		conn, err := s.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Relogin(t.Context(), conn); err != nil || toldDigests(k) != want || connections.Load() != before+1 {
			t.Errorf("%q, want %q, after %d connections, %v", toldDigests(k), want, connections.Load()-before, err)
		}
		k.Close()
		_ = tr.Close()
		_ = server.Close()
	}
}

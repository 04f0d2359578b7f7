package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

const (
	remote1   = "iqn.2007-01.com.example:server.remote1"
	arrayName = "iqn.2007-01.com.example:storage.remote1"
)

// target serves a target and returns its portal.
func (s stage) target(t *iscsitest.Target) string {
	s.t.Helper()
	server, err := iscsitest.Listen(t.Serve)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return server.Addr().String()
}

// secret writes a file for the owner alone.
func (s stage) secret(name, text string) {
	s.t.Helper()
	s.write(name, text)
	if err := os.Chmod(s.path(name), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestDiscover(t *testing.T) {
	s := newStage(t)
	at := s.target(&iscsitest.Target{Name: arrayName, Portals: []string{"10.1.1.180:3260,1", "[2001:db8::7]:3261"}, Initiators: []string{remote1}})
	want := at + ": targets for " + remote1 + "\n  " + arrayName + "\n    10.1.1.180:3260, portal group 1\n    [2001:db8::7]:3261\n"
	if status, out, errs := s.run("discover", "--initiator", remote1, at); status != 0 || out != want || errs != "" {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	want = at + ": no target for " + remote1 + "; an access list may hide some\n"
	if status, out, errs := s.run("discover", "--initiator", remote1, "--target", arrayName+"x", at); status != 0 || out != want || errs != "" {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	want = "iscsiroot: discover: login to " + at + " refused (0202): this initiator name is not in the target's access list: add the name of --initiator to the target's access list\n"
	if status, out, errs := s.run("discover", "--initiator", "iqn.x", at); status != 1 || out != "" || errs != want {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
}

// One portal's refusal does not hide what another one answers, and JSON has both.
func TestDiscoverJSON(t *testing.T) {
	s := newStage(t)
	open := s.target(&iscsitest.Target{Name: arrayName, Portals: []string{"10.1.1.180:3260,1", "10.1.1.181:3260"}})
	shut := s.target(&iscsitest.Target{Initiators: []string{remote1}})
	status, out, errs := s.run("discover", "--json", "--initiator", "iqn.x", shut, open)
	if status != 1 || strings.Count(errs, "\n") != 1 {
		t.Errorf("status %d, %s", status, errs)
	}
	var got any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"initiator": "iqn.x", "portals": []any{
		map[string]any{
			"asked": shut, "answered": "", "targets": []any{}, "warnings": []any{}, "hint": "add the name of --initiator to the target's access list",
			"error": "login to " + shut + " refused (0202): this initiator name is not in the target's access list",
		},
		map[string]any{
			"asked": open, "answered": open, "warnings": []any{}, "error": "", "hint": "",
			"targets": []any{map[string]any{"name": arrayName, "portals": []any{
				map[string]any{"address": "10.1.1.180", "port": 3260.0, "portal_group": 1.0},
				map[string]any{"address": "10.1.1.181", "port": 3260.0, "portal_group": nil},
			}}},
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Secrets come from a file that others cannot read, in the format of build's, and go nowhere else.
func TestDiscoverCHAP(t *testing.T) {
	s := newStage(t)
	at := s.target(&iscsitest.Target{Name: arrayName, Auth: &iscsitest.Auth{User: "u", Secret: "sesame-open-12", TargetUser: "t", TargetSecret: "sesame-shut-12"}})
	s.secret("discovery", "discovery u sesame-open-12 t sesame-shut-12\n")
	s.secret("image", arrayName+" u sesame-open-12 t sesame-shut-12\n")
	s.secret("wrong", "discovery u sesame-open-13\n")
	s.write("public", "discovery u sesame-open-12\n")
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"--credentials ~/discovery", 0, at + ": targets for " + remote1 + "\n  " + arrayName + "\n"},
		{"--credentials ~/image --target " + arrayName, 0, at + ": targets for " + remote1 + "\n  " + arrayName + "\n"},
		{"--credentials ~/image", 1, "credentials from ~/image: no line for discovery sessions: write discovery USER SECRET"},
		{"--credentials ~/wrong", 1, "refused (0201): authentication failed"},
		{"--credentials ~/public", 1, "read secrets from ~/public: all users of this machine can read it: chmod 600 ~/public"},
		{"", 1, "refused (0201): authentication failed"},
	} {
		status, out, errs := s.run(append([]string{"discover", "--initiator", remote1, at}, strings.Fields(c.args)...)...)
		if status != c.status || !strings.Contains(out+errs, c.want) || strings.Contains(out+errs, "sesame") {
			t.Errorf("%s: status %d, %s%s", c.args, status, out, errs)
		}
	}
}

// A secret that a person would type would stand on the screen; a pipe is read.
func TestDiscoverStdin(t *testing.T) {
	in := discoverInput{initiator: remote1, credentials: "-"}
	cfg, err := in.config(strings.NewReader("discovery u sesame-open-12\n"), "")
	if err != nil || cfg.CHAP == nil || cfg.CHAP.User != "u" {
		t.Errorf("%+v, %v", cfg, err)
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	if _, err := in.config(pty, ""); err == nil || !strings.Contains(err.Error(), "standard input is a terminal") {
		t.Error(err)
	}
}

// The initiator name of this host is open-iscsi's if no option names one.
func TestDiscoverInitiator(t *testing.T) {
	s := newStage(t)
	s.write("initiatorname.iscsi", "InitiatorName=iqn.2007-01.com.example:host\n")
	for _, c := range []struct{ option, file, want string }{
		{"", s.path("initiatorname.iscsi"), "iqn.2007-01.com.example:host"},
		{remote1, s.path("initiatorname.iscsi"), remote1},
		{"", s.path("none"), ""},
	} {
		cfg, err := discoverInput{initiator: c.option}.config(nil, c.file)
		if cfg.Initiator != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, cfg.Initiator, err)
		}
	}
}

func TestDiscoverErrors(t *testing.T) {
	s := newStage(t)
	for args, want := range map[string]string{
		"discover":                               "requires at least 1 arg(s), only received 0",
		"discover u:sesame-open-12@h":            `discover: portal "[redacted]@h": not an address or a host name with a port: write ADDRESS[:PORT], an IPv6 address in brackets`,
		"discover --timeout 0s 10.1.1.1":         "discover: --timeout: give a time above 0, such as 15s",
		"discover --timeout -1s 10.1.1.1":        "discover: --timeout: give a time above 0, such as 15s",
		"discover --initiator iqn.\u007f 10.1.1": `discover: portal "10.1.1": not an address or a host name with a port: write ADDRESS[:PORT], an IPv6 address in brackets`,
	} {
		if status, out, errs := s.run(strings.Fields(args)...); status != 1 || out != "" || errs != "iscsiroot: "+want+"\n" {
			t.Errorf("%s: status %d, %s%s", args, status, out, errs)
		}
	}
}

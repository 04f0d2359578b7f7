package session

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// A session with a NIC is bound to it at each login, has its name as the interface's, and stays
// bound to it.
func TestSessionOfNIC(t *testing.T) {
	tg := startTarget(t, welcome, welcome)
	s, k := sessionAt(t, func(c *Config) {
		c.Ways = func(netip.Addr) []Way { return []Way{{Device: "other"}} }
		c.Target.NIC = bootspec.Value[bootspec.NIC]{V: bootspec.NIC{Name: "lo"}, From: "iscsi_multipath="}
	}, tg.portal)
	if _, err := s.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Unbind()
	if via := s.Via(); via.Device != "lo" || s.State().NIC != "lo" {
		t.Errorf("logged in by %+v", via)
	}
	if got := steps(k.Requests()); !slices.Contains(got, "set 32 lo") {
		t.Errorf("the login sent %q", got)
	}
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Relogin(t.Context(), conn); err != nil || conn.path.way.Device != "lo" {
		t.Errorf("logged in again by %+v, %v", conn.path, err)
	}
}

// A NIC that the machine does not have can come.
func TestNoNIC(t *testing.T) {
	k := kerneltest.New()
	t.Cleanup(k.Close)
	target := specOf(netip.MustParseAddrPort("10.0.0.1:3260"))
	target.NIC.V.MAC = "52:54:00:ff:ff:01"
	s := startSession(t, k.Transport(), Config{Initiator: initiator, Target: target})
	_, err := s.Login(t.Context())
	var failed *LoginError
	var none *NoNICError
	if !errors.As(err, &failed) || !failed.Retryable() || !errors.As(err, &none) || none.NIC != "52:54:00:ff:ff:01" {
		t.Errorf("login: %v", err)
	}
	if _, err = s.Connect(t.Context()); !errors.As(err, &none) {
		t.Errorf("connect: %v", err)
	}
	if _, err := s.Duplicate(t.Context(), nil, 0); !errors.As(err, &none) {
		t.Errorf("test of the name: %v", err)
	}
}

// The ways of another interface, and the kernel's choice, are not for a session with a NIC.
func TestAllowed(t *testing.T) {
	all := []Way{{}, {Source: netip.MustParseAddr("10.0.0.2")}, {Device: "br0"}}
	if got, err := (&Session{}).allowed(all); err != nil || !slices.Equal(got, all) {
		t.Errorf("%v, %v", got, err)
	}
	s := &Session{nic: "lo"}
	for _, tt := range []struct{ ways, want []Way }{{all, all[2:]}, {all[:2], []Way{{Device: "lo"}}}, {nil, []Way{{Device: "lo"}}}} {
		if got, err := s.allowed(tt.ways); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v, %v", tt.ways, got, err)
		}
	}
}

// A NIC is given by its MAC or name. It is that of what it is a port of, but not of its VRF.
func TestDeviceOf(t *testing.T) {
	dir := t.TempDir()
	const mac, bonded = "52:54:00:00:00:01", "52:54:00:00:00:02"
	for name, text := range map[string]string{
		"eth0/address": mac, "eth0/device/x": "", "eth0.5/address": mac,
		"eth1/address": bonded, "eth1/device/x": "", "eth1/master/x": "", "team0/address": bonded,
		"eth3/bonding_slave/state": "active", "bond0/brport/state": "3", "br0/bridge/x": "", "eth4/address": "",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, master := range map[string]string{"eth3": "bond0", "bond0": "br0", "eth4": "vrf1"} {
		if err := os.Symlink("../"+master, filepath.Join(dir, name, "master")); err != nil {
			t.Fatal(err)
		}
	}
	for nic, want := range map[string]string{mac: "eth0", bonded: "team0", "eth1": "eth1", "eth3": "br0", "eth4": "eth4", "eth2": "", "52:54:00:00:00:03": ""} {
		got, err := deviceOf(dir, nic)
		var none *NoNICError
		if got != want || errors.As(err, &none) != (want == "") {
			t.Errorf("%s: %q, %v", nic, got, err)
		}
	}
}

package lab

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

func TestDnsmasq(t *testing.T) {
	ns, tap := testNamespace(t)
	d, err := ns.StartDnsmasq(t.Context(), "--interface="+tap.Name(), "--dhcp-range=10.77.0.50,10.77.0.60")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Log(), "DHCP, IP range 10.77.0.50 -- 10.77.0.60") {
		t.Errorf("log:\n%s", d.Log())
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := ns.StartDnsmasq(t.Context(), "--no-such-option"); !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "bad command line options") {
		t.Errorf("a mistyped option: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ns.StartDnsmasq(ended); err == nil {
		t.Error("no time to start: no error")
	}
}

func TestAddVeth(t *testing.T) {
	a, _ := testNamespace(t)
	b, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.AddVeth("left0", b, "right0"); err != nil {
		t.Fatal(err)
	}
	err = b.Do(func() error { _, err := net.InterfaceByName("right0"); return err })
	if err != nil {
		t.Errorf("the other end: %v", err)
	}
	if err := a.AddVeth("left0", b, "right0"); err == nil {
		t.Error("the same wire twice: no error")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := a.AddVeth("left1", b, "right1"); !errors.Is(err, ErrClosed) {
		t.Errorf("a wire to a closed namespace: %v", err)
	}
}

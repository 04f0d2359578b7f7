package network

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// withMAC is a plan for a NIC that is known by its MAC.
func withMAC(mac string) bootspec.Net {
	n := plan("")
	n.MAC = bootspec.Value[string]{V: mac, From: "BOOTIF="}
	return n
}

func TestCandidateByMAC(t *testing.T) {
	sys := t.TempDir()
	s := newState(Config{Net: withMAC("52:54:00:aa:bb:02"), SysClassNet: sys})
	link := func(name, mac string) netlink.Link {
		hw, err := net.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: hw, EncapType: "ether"}}
	}
	for _, name := range []string{"eth0", "eth1"} {
		if err := os.MkdirAll(filepath.Join(sys, name, "device"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, mac string
		want      bool
	}{
		{"eth0", "52:54:00:aa:bb:01", false},
		{"eth1", "52:54:00:aa:bb:02", true},
		{"eth1.5", "52:54:00:aa:bb:02", false}, // a VLAN has the MAC of its parent
	} {
		if got := s.candidate(link(tt.name, tt.mac)); got != tt.want {
			t.Errorf("%s with %s: %v", tt.name, tt.mac, got)
		}
	}
}

// Of two NICs with a link the second is taken if the MAC is its, and who has
// none of that MAC is told which there are.
func TestUpByMAC(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		for _, name := range []string{"a0", "b0"} {
			if err := netlink.LinkSetUp(veth(t, sys, name)); err != nil {
				t.Fatal(err)
			}
		}
		second, err := netlink.LinkByName("b0")
		if err != nil {
			t.Fatal(err)
		}
		leases, err := Up(t.Context(), Config{Net: withMAC(second.Attrs().HardwareAddr.String()), SysClassNet: sys})
		if err != nil || len(leases) != 1 || leases[0].Interface != "b0" {
			t.Errorf("leases %v, %v", leases, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = Up(ctx, Config{Net: withMAC("52:54:00:aa:bb:02"), SysClassNet: sys})
		if err == nil || !strings.Contains(err.Error(), "no interface with MAC 52:54:00:aa:bb:02, there is ") {
			t.Errorf("got %v", err)
		}
	})
}

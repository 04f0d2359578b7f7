package network

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// withMAC returns a plan for the NIC with a MAC.
func withMAC(mac string) bootspec.Net {
	n := static("")
	n.MAC = bootspec.Value[string]{V: mac, From: "BOOTIF="}
	return n
}

func TestCandidateByMAC(t *testing.T) {
	sys := t.TempDir()
	n := &Network{cfg: Config{SysClassNet: sys}}
	mine := &line{IP: bootspec.IP{MAC: "52:54:00:aa:bb:02"}}
	anything := &line{}
	n.lines = []*line{mine, anything}
	link := func(name, mac string) netlink.Link {
		hw, err := net.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: hw, EncapType: "ether"}}
	}
	for _, name := range []string{"eth0", "eth1"} {
		makeHardware(t, sys, name)
	}
	for _, tt := range []struct {
		name, mac string
		mine, any bool
	}{
		{"eth0", "52:54:00:aa:bb:01", false, true},
		{"eth1", "52:54:00:aa:bb:02", true, false},
		{"eth1.5", "52:54:00:aa:bb:02", false, false}, // a VLAN has the MAC of its parent
	} {
		l := link(tt.name, tt.mac)
		if n.matches(mine, l) != tt.mine || n.matches(anything, l) != tt.any {
			t.Errorf("%s with %s: %v, %v", tt.name, tt.mac, n.matches(mine, l), n.matches(anything, l))
		}
	}
}

// A NIC is identified by its PCI device, also if it is a virtio device's child.
func TestPCIAddress(t *testing.T) {
	sys := t.TempDir()
	for name, device := range map[string]string{
		"eth0": "devices/pci0000:00/0000:00:03.0/virtio0", "eth1": "devices/pci0000:00/0000:00:1e.0/0000:01:02.1", "eth2": "devices/vio/30000",
	} {
		dir := filepath.Join(sys, device, "net", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(sys, "class", name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(sys, device), filepath.Join(sys, "class", name, "device")); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"eth0": "0000:00:03.0", "eth1": "0000:01:02.1", "eth2": "", "eth3": ""} {
		if got := pciAddress(filepath.Join(sys, "class"), name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	n := &Network{cfg: Config{SysClassNet: filepath.Join(sys, "class")}}
	ln := &line{IP: bootspec.IP{Device: "0000:01:02.1"}}
	for name, want := range map[string]bool{"eth0": false, "eth1": true} {
		if got := n.matches(ln, &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: name, EncapType: "ether"}}); got != want {
			t.Errorf("%s matches: %v", name, got)
		}
	}
}

// Of two NICs with a carrier the one with the given MAC is used. If none has that MAC the error
// lists the NICs.
func TestByMAC(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		for _, name := range []string{"a0", "b0"} {
			if err := netlink.LinkSetUp(veth(t, sys, name)); err != nil {
				t.Fatal(err)
			}
		}
		mac := linkOf(t, "b0").Attrs().HardwareAddr.String()
		n, leases, err := run(t, Config{Net: withMAC(mac), SysClassNet: sys}, patience)
		if err != nil || len(leases) != 1 || leases[0].Interface != "b0" {
			t.Errorf("leases %v, %v", leases, err)
		}
		n.Undo()
		_, err = missing(t, Config{Net: withMAC("52:54:00:aa:bb:02"), SysClassNet: sys}, "there is a0p, a0, b0p, b0:")
		if err == nil || !strings.Contains(err.Error(), "no interface with MAC 52:54:00:aa:bb:02, there is ") {
			t.Errorf("got %v", err)
		}
	})
}

// A line with a MAC, and with a name that is another NIC's, uses the NIC with the MAC, and a
// warning is reported.
func TestNameOfAnotherNIC(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		if err := netlink.LinkSetUp(veth(t, sys, "mine0")); err != nil {
			t.Fatal(err)
		}
		mac := linkOf(t, "mine0").Attrs().HardwareAddr.String()
		warned := make(chan string, 8)
		n, err := Start(Config{
			Net: bootspec.Net{IP: []bootspec.Value[bootspec.IP]{{
				V:    bootspec.IP{Methods: []bootspec.Method{bootspec.Static}, MAC: mac, Device: "other0", Address: netip.MustParsePrefix("10.1.1.5/24")},
				From: "iBFT NIC 0, ip=other0:ibft",
			}}},
			SysClassNet: sys, Warn: func(text string) { warned <- text },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Undo)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		leases, err := n.Wait(ctx)
		if err != nil || len(leases) != 1 || leases[0].Interface != "mine0" {
			t.Fatalf("leases %v, %v", leases, err)
		}
		want := "iBFT NIC 0, ip=other0:ibft: the NIC with MAC " + mac + " is mine0, not other0: the MAC is used"
		select {
		case text := <-warned:
			if text != want {
				t.Errorf("%s, want %s", text, want)
			}
		case <-ctx.Done():
			t.Error("no warning")
		}
	})
}

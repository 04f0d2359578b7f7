package bootspec_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

const someTarget = "iscsi_i=iqn.x:m iscsi_t=iqn.x:s iscsi_a=10.1.1.180 "

// The stack of devices determines which modules are needed, the MTU of a NIC, and the boot's
// device.
func TestNetDevices(t *testing.T) {
	p, err := parse(someTarget + "ip=10.1.1.165::10.1.1.1:26::bond0.5:none:9000 vlan=bond0.5:bond0 bond=bond0:eth0,eth1:mode=1 bridge=br9:eth9")
	if err != nil {
		t.Fatal(err)
	}
	n := p.Net
	if got := n.Modules(); !slices.Equal(got, []string{"8021q", "bonding", "bridge"}) {
		t.Errorf("modules %q", got)
	}
	for name, want := range map[string]int{"eth0": 9000, "bond0": 9000, "bond0.5": 9000, "eth9": 0, "br9": 0, "eth7": 0} {
		if got := n.MTU(true, name, "52:54:00:00:00:01"); got != want {
			t.Errorf("MTU of %s: %d, want %d", name, got, want)
		}
	}
	if got := n.Named(); !slices.Equal(got, []string{"eth0", "eth1", "eth9"}) {
		t.Errorf("named %q", got)
	}
	if got := n.LowerNICs("bond0.5"); !slices.Equal(got, []string{"eth0", "eth1"}) || n.LowerNICs("eth0") != nil {
		t.Errorf("parts %q", got)
	}
	if !n.Creates("br9") || n.Creates("eth0") || !n.HasUpper("bond0") || n.HasUpper("bond0.5") {
		t.Error("what is made, and what is below what")
	}
}

// A line without a NIC is for the boot's device.
func TestMTUOfAnyNIC(t *testing.T) {
	for _, tt := range []struct {
		line     string
		hardware bool
		name     string
		want     int
	}{
		{"ip=10.1.1.165::10.1.1.1:26:::none:9000", true, "eth0", 9000},
		{"ip=10.1.1.165::10.1.1.1:26:::none:9000", false, "vlan5", 0},
		{"ip=10.1.1.165::10.1.1.1:26:::none:9000 vlan=vlan5:eth0", true, "eth0", 9000},
		{"ip=10.1.1.165::10.1.1.1:26:::none:9000 vlan=vlan5:eth0", true, "eth1", 0},
		{"iscsi_i_ip=10.1.1.165/26 mtu=4000 iscsi_if=eth1", true, "eth1", 4000},
		{"iscsi_i_ip=10.1.1.165/26 mtu=4000 iscsi_if=eth1", true, "eth0", 0},
		{"iscsi_i_ip=10.1.1.165/26 mtu=4000", true, "eth0", 4000},
		{"ip=10.1.1.165::10.1.1.1:26:::none:4000 BOOTIF=01-52-54-00-00-00-01", true, "52:54:00:00:00:01", 4000},
		{"ip=10.1.1.165::10.1.1.1:26:::none:4000 BOOTIF=01-52-54-00-00-00-01", true, "52:54:00:00:00:02", 0},
		{"iscsi_i_ip=10.1.1.165/26 bond=bond0:eth0,eth1:mode=1:4500", true, "eth1", 4500},
	} {
		p, err := parse(someTarget + tt.line)
		if got := p.Net.MTU(tt.hardware, tt.name); err != nil || got != tt.want {
			t.Errorf("%s: %s: %d, want %d (%v)", tt.line, tt.name, got, tt.want, err)
		}
	}
}

func TestScopes(t *testing.T) {
	p, err := parse("iscsi_i=iqn.x:m iscsi_t=iqn.x:s iscsi_a=[fe80::1%eth0]:3260,10.1.1.180 ip=link6")
	if got := p.PathNICs(); err != nil || !slices.Equal(got, []string{"eth0"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNewMAC(t *testing.T) {
	p, err := parse(someTarget + "ip=10.1.1.165::10.1.1.1:26::eth1:none::52:54:00:12:34:56")
	if got := p.Net.NewMAC(true, "eth1"); err != nil || got != "52:54:00:12:34:56" || p.Net.NewMAC(true, "eth0") != "" {
		t.Errorf("%q, %v", got, err)
	}
}

// Options of a bond come in an order that the kernel accepts, and a bond without link monitoring
// gets miimon.
func TestBondOptions(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"mode=active-backup", "mode=active-backup miimon=100"},
		{"updelay=200,miimon=50,mode=4,lacp_rate=fast", "mode=802.3ad miimon=50 updelay=200 lacp_rate=fast"},
		{"mode=1,arp_interval=100,arp_ip_target=10.0.0.1;10.0.0.2,primary=eth1", "mode=active-backup arp_interval=100 arp_ip_target=+10.0.0.1 arp_ip_target=+10.0.0.2 primary=eth1"},
		{"miimon=100", "mode=balance-rr miimon=100"},
	} {
		var got []string
		for _, o := range (bootspec.Group{Options: tt.text}).BondOptions() {
			got = append(got, o.Name+"="+o.Value)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

// A device that cannot be created is an error with its cause.
func TestImpossibleDevices(t *testing.T) {
	for line, want := range map[string]string{
		"bond=bond0:eth0:mode=7":                     "7 is not a bond mode",
		"bond=bond0:eth0:mod=1":                      "mod is not a bond option",
		"bond=bond0:eth0:mode":                       "the option mode has no value",
		"vlan=eth0.5:eth0.5":                         "the device eth0.5 would be its own upper device",
		"bond=bond0:br0:mode=1 bridge=br0:bond0":     "would be its own upper device",
		"bond=bond0:eth0:mode=1 bridge=br0:eth0":     "the NIC eth0 is part of another bond or bridge",
		"vlan=vlan5:eth0 vlan=vlan5:eth1":            "there is another device vlan5",
		strings.Repeat("vlan=vlan5:eth0 ", 40)[:600]: "there is another device vlan5",
	} {
		p, err := parse(someTarget + "iscsi_i_ip=10.1.1.165/26 " + line)
		if err := fmt.Sprint(err, p.Check()); !strings.Contains(err, want) {
			t.Errorf("%s: %s, want %q", line, err, want)
		}
	}
}

package bootspec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

const bootMAC = "52:54:00:77:00:01"

// BOOTIF names the NIC of BOOTIF= in every parameter for a NIC, with its MAC in any form that boot
// loaders write.
func TestBootifAsNIC(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"ip=::::maas-enlist:BOOTIF", "::::maas-enlist:52-54-00-77-00-01:dhcp"},
		{"ip=::::node1:BOOTIF:dhcp", "::::node1:52-54-00-77-00-01:dhcp"},
		{"ip=:::::BOOTIF:dhcp6:1400", "52-54-00-77-00-01:dhcp6:1400"},
		{"ip=BOOTIF:dhcp", "52-54-00-77-00-01:dhcp"},
		{"ip=BOOTIF", "52-54-00-77-00-01:dhcp"},
		{"ip=bootif", "52-54-00-77-00-01:dhcp"},
		{"ip=bootif:dhcp ifname=bootif:52:54:00:77:00:09", "bootif:dhcp"},
		{"ip=10.1.1.5::10.1.1.1:24:node1:BOOTIF:none", "10.1.1.5/24::10.1.1.1::node1:52-54-00-77-00-01:static"},
		{"ip=eth0:dhcp ip=BOOTIF:auto6", "52-54-00-77-00-01:auto6 eth0:dhcp"},
		{"ip=BOOTIF:dhcp rd.bootif=0", "52-54-00-77-00-01:dhcp"}, // which keeps it from choosing a NIC alone
		{"ip=dhcp iscsi_if=BOOTIF", "52-54-00-77-00-01:dhcp"},
		{"ip=eth0:dhcp ip=52-54-00-77-00-01:auto6 bootdev=BOOTIF", "52-54-00-77-00-01:auto6 eth0:dhcp"},
		{"ip=dhcp ksdevice=BOOTIF", "52-54-00-77-00-01:dhcp"},
		{"iscsi_i_ip=10.1.1.5/24 ip=BOOTIF:static", "10.1.1.5/24:::::52-54-00-77-00-01:static"},
		{"ip=dhcp netroot=iscsi:10.1.1.180::::BOOTIF::iqn.x:t", "52-54-00-77-00-01:dhcp"},
		{"ip=BOOTIF:dhcp ifname=BOOTIF:52:54:00:77:00:09", "BOOTIF:dhcp"}, // a NIC of this name
	} {
		for _, value := range []string{
			"01-52-54-00-77-00-01", "01-52:54:00:77:00:01", "01:52:54:00:77:00:01", "52:54:00:77:00:01", "52-54-00-77-00-01", "525400770001", "01-52-54-00-77-00-01 hwaddr=52:54:00:77:00:01",
		} {
			p, err := parse(tt.text + " BOOTIF=" + value)
			if got := lines(p); err != nil || got != tt.want {
				t.Errorf("%s BOOTIF=%s: %s, want %s (%v)", tt.text, value, got, tt.want, err)
			}
		}
	}
}

// Devices on top of it refer to it by its MAC.
func TestBootifInDevices(t *testing.T) {
	p, err := parse("BOOTIF=01-52:54:00:77:00:01 vlan=vlan5:BOOTIF bond=bond0:BOOTIF,eth1:mode=1 bridge=br0:BOOTIF rd.route=10.2.0.0/16::BOOTIF")
	n := p.Net
	if err != nil || n.VLANs[0].V.Parent != bootMAC || n.Groups[0].V.Members[0] != bootMAC || n.Groups[1].V.Members[0] != bootMAC || n.Routes[0].V.Device != bootMAC {
		t.Errorf("%v %v %v, %v", n.VLANs, n.Groups, n.Routes, err)
	}
	if p, err = parse("BOOTIF=01-AA:bb:00:77:00:01 ip=BOOTIF:dhcp"); err != nil || p.Net.MAC.V != "aa:bb:00:77:00:01" || p.Net.MAC.From != "ip=, BOOTIF=" {
		t.Errorf("MAC %v, %v", p.Net.MAC, err)
	}
}

// Without a MAC the name is an error, unless the parameter is ignored.
func TestBootifUnknown(t *testing.T) {
	for _, tt := range []struct{ text, from string }{
		{"ip=::::node1:BOOTIF:dhcp", "ip="},
		{"ip=BOOTIF BOOTIF=20-ab", "ip="},
		{"ip=dhcp iscsi_if=BOOTIF", "iscsi_if="},
		{"ip=dhcp bootdev=BOOTIF", "bootdev="},
		{"ip=dhcp vlan=vlan5:BOOTIF", "vlan="},
		{"ip=dhcp bridge=br0:eth0,BOOTIF", "bridge="},
		{"ip=dhcp rd.route=10.2.0.0/16::BOOTIF", "rd.route="},
	} {
		_, err := parse(tt.text)
		var e *bootspec.BootNICError
		if !errors.As(err, &e) || e.From != tt.from || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "no BOOTIF= gives its MAC: write BOOTIF=01-") {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
	if got := lines(planOf(t, "ip=eth0:dhcp", "ip=BOOTIF:dhcp", nil)); got != "eth0:dhcp" {
		t.Errorf("with an image's default that does not count: %s", got)
	}
}

// A boot server is no peer where there is a gateway, from any source. With a prefix length it is
// one.
func TestPeerOrBootServer(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"ip=10.99.0.3:203.0.113.3:10.99.0.2:255.255.255.254", "10.99.0.3/31::10.99.0.2::::static"},
		{"ip=10.99.0.3:10.99.0.2:10.99.0.2:255.255.255.254", "10.99.0.3/31::10.99.0.2::::static"},
		{"ip=10.99.0.3:10.99.0.2::255.255.255.254", "10.99.0.3/31:10.99.0.2/32:::::static"},
		{"ip=10.99.0.3:203.0.113.3::255.255.255.254", "10.99.0.3/31::::::static"},
		{"ip=10.99.0.3:203.0.113.3::255.255.255.255", "10.99.0.3/32:203.0.113.3/32:::::static"},
		{"ip=10.99.0.3:203.0.113.3::255.255.255.255 iscsi_gw=10.99.0.1", "10.99.0.3/32::10.99.0.1::::static"},
		{"ip=10.99.0.3:203.0.113.3/32::255.255.255.255 gateway=10.99.0.1", "10.99.0.3/32:203.0.113.3/32:10.99.0.1::::static"},
		{"ip=10.99.0.3:10.99.0.3::255.255.255.255", "10.99.0.3/32::::::static"},
		{"ip=10.99.0.3:[2001:db8::1]::255.255.255.255", "10.99.0.3/32::::::static"},
		{"ip=10.99.0.3:203.0.113.3::255.255.255.252", "10.99.0.3/30::::::static"},
	} {
		p, err := parse(tt.text)
		if got := lines(p); err != nil || got != tt.want {
			t.Errorf("%s: %s, want %s (%v)", tt.text, got, tt.want, err)
		}
	}
}

// NIC:static selects the NIC of the address in iscsi_i_ip=, and has no effect without it.
func TestStaticNIC(t *testing.T) {
	for _, tt := range []struct{ text, want, wantWarning string }{
		{"iscsi_i_ip=10.1.1.5/24 ip=eth1:static", "10.1.1.5/24:::::eth1:static", ""},
		{"ip=:::::52-54-00-77-00-01:static iscsi_i_ip=10.1.1.5/24", "10.1.1.5/24:::::52-54-00-77-00-01:static", ""},
		{"iscsi_i_ip=10.1.1.5/24 ip=::10.1.1.1::host1:eth1:static", "10.1.1.5/24::10.1.1.1::host1:eth1:static", ""},
		{"iscsi_i_ip=10.1.1.5/24 iscsi_if=eth0 ip=eth1:static", "10.1.1.5/24:::::eth0:static", "iscsi_if= names eth0, which is used"},
		{"ip=eth0:dhcp ip=eth1:static", "eth0:dhcp", "has no address for its NIC and is ignored"},
		{"ip=eth1:static", "", "has no address for its NIC and is ignored"},
	} {
		p, err := parse(tt.text)
		if got := lines(p); err != nil || got != tt.want || !strings.Contains(strings.Join(p.Warnings, "\n"), tt.wantWarning) || tt.wantWarning == "" && len(p.Warnings) > 0 {
			t.Errorf("%s: %s, want %s (%v), %q", tt.text, got, tt.want, err, p.Warnings)
		}
	}
	p, _ := parse("netroot=iscsi:10.1.1.180::::iqn.x:t iscsi_i=iqn.x:m ip=eth1:static")
	var missing *bootspec.MissingError
	if err := p.Check(); !errors.As(err, &missing) || !strings.Contains(err.Error(), "write iscsi_i_ip=ADDRESS/MASK") {
		t.Errorf("check: %v", err)
	}
}

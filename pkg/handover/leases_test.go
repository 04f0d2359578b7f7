package handover

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

func testLeases() []dhcp.Lease {
	mac := []byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	return []dhcp.Lease{
		{
			Interface: "eth0", Method: dhcp.DHCP4, Address: netip.MustParsePrefix("10.77.0.50/24"), ClientID: dhcp.ClientID(mac),
			RootPath: "iscsi:user:correct-horse@10.77.0.1::::iqn.2007-01.com.example:t",
		},
		{Interface: "eth0", Method: dhcp.DHCP6, Address: netip.MustParsePrefix("fd00::50/128"), ClientID: dhcp.DUID(mac)},
		{Interface: "eth1", Method: dhcp.Static, Address: netip.MustParsePrefix("10.78.0.2/24")},
	}
}

func TestLeaseFiles(t *testing.T) {
	got := contents(Files(Facts{Leases: testLeases()}))
	for path, line := range map[string]string{
		"iscsiroot/lease-eth0": "address=10.77.0.50/24\n", "net-eth0.conf": "PROTO='dhcp'\n",
		"iscsiroot/lease6-eth0": "method=dhcp6\n", "net6-eth0.conf": "IPV6ADDR='fd00::50'\n",
		"iscsiroot/lease-eth1": "method=static\n", "net-eth1.conf": "IPV4ADDR='10.78.0.2'\n",
	} {
		if !strings.Contains(got[path], line) {
			t.Errorf("%s has no line %q:\n%s", path, line, got[path])
		}
	}
	for path, content := range got {
		if strings.Contains(content, "correct-horse") {
			t.Errorf("%s holds a secret:\n%s", path, content)
		}
	}
}

func TestAddLease(t *testing.T) {
	var links []Link
	for _, l := range testLeases() {
		links = AddLease(links, net.HardwareAddr{1, 2, 3, 4, 5, 6}, l)
	}
	if len(links) != 2 || len(links[0].Addresses) != 2 || !links[0].DHCP || len(links[0].ClientID) != 15 ||
		links[1].Name != "eth1" || links[1].DHCP {
		t.Errorf("links %+v", links)
	}
}

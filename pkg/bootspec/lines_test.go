package bootspec_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/cmdline"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// What is brought up, that of the boot first, with what other parameters add to it.
func TestLines(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"iscsi_i_ip=10.1.1.5/24", "10.1.1.5/24::::::static"},
		{"iscsi_i_ip=10.1.1.5/24 iscsi_if=eth1 iscsi_gw=10.1.1.1", "10.1.1.5/24::10.1.1.1:::eth1:static"},
		{"iscsi_i_ip=10.1.1.5/24 BOOTIF=01-52-54-00-00-00-01", "10.1.1.5/24:::::52-54-00-00-00-01:static"},
		{"ip=dhcp", "dhcp"},
		{"ip=dhcp iscsi_if=0000:00:03.0", "0000:00:03.0:dhcp"},
		{"ip=dhcp BOOTIF=01-52-54-00-00-00-01 hostname=a iscsi_dhcp_id=0,b", ":::: a:52-54-00-00-00-01:dhcp,0,b"},
		{"ip=dhcp iscsi_dhcp_id=mac", "dhcp,mac"},
		{"ip=eth0:dhcp ip=eth1:dhcp ip=eth2:auto6 ip=eth3:dhcp,0,b rd.iscsiroot.dhcp_id=MAC", "eth0:dhcp,mac eth1:dhcp,mac eth2:auto6 eth3:dhcp,0,b"},
		{"ip=eth0:dhcp ip=eth1:dhcp iscsi_dhcp_id=0,b", "eth0:dhcp,0,b eth1:dhcp"},
		{"ip=dhcp iscsi_gw=10.1.1.1", "::10.1.1.1::::dhcp"},
		{"ip=none ip=eth0:off ip=eth1:auto6", "eth1:auto6"},
		{"ip=eth0:dhcp ip=eth1:dhcp6", "eth0:dhcp eth1:dhcp6"},
		{"ip=eth0:dhcp ip=eth1:dhcp6 bootdev=eth1", "eth1:dhcp6 eth0:dhcp"},
		{"ip=dhcp ip=eth1:dhcp6", "eth1:dhcp6 dhcp"},
		{"ip=eth0:dhcp ip=10.1.2.5:::24::eth1:none", "eth0:dhcp 10.1.2.5/24:::::eth1:static"},
		{"ip=10.1.1.5:::24::eth0:none ip=10.1.2.5:::24::eth1:none bootdev=eth1", "10.1.2.5/24:::::eth1:static 10.1.1.5/24:::::eth0:static"},
		{"ip=eth0:dhcp ip=boot0:dhcp ifname=boot0:52:54:00:00:00:01 bootdev=52:54:00:00:00:01", "boot0:dhcp eth0:dhcp"},
		// A NIC that another parameter names has the line of that NIC, and the others keep
		// theirs.
		{"ip=10.1.1.5:::24::eth0:none ip=10.1.2.5:::24::eth1:none iscsi_if=eth1", "10.1.2.5/24:::::eth1:static 10.1.1.5/24:::::eth0:static"},
		{"ip=10.1.1.5:::24::eth0:none ip=10.1.2.5:::24::eth1:none netroot=iscsi:10.1.2.180::::eth1:1:iqn.x:t", "10.1.2.5/24:::::eth1:static 10.1.1.5/24:::::eth0:static"},
		{"ip=52-54-00-00-00-01:dhcp ip=52-54-00-00-00-02:dhcp iscsi_if=52:54:00:00:00:02", "52-54-00-00-00-02:dhcp 52-54-00-00-00-01:dhcp"},
		{"ip=eth0:ibft ip=eth1:dhcp", "eth1:dhcp"}, // without a table
		{"ip=eth0:dhcp:10.1.1.53 ip=::::b:eth1:dhcp:10.1.2.53", "eth0:dhcp:10.1.1.53: ::::b:eth1:dhcp:10.1.2.53:"},
		{"ip=eth0:off ip=10.1.2.5:::24:b:eth1:none", "10.1.2.5/24::::b:eth1:static"},
		{"root=dhcp", "dhcp"},
		{"netroot=iscsi:10.1.1.180::::iqn.x:t", "dhcp"},
	} {
		plan, err := parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		var got []string
		for _, v := range plan.Net.Lines() {
			got = append(got, v.V.String())
		}
		if want := strings.ReplaceAll(tt.want, ": a", ":a"); strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", tt.text, strings.Join(got, " "), want)
		}
	}
}

// The word mac is the MAC of each NIC that requests an address.
func TestDHCPClientID(t *testing.T) {
	mac := []byte{0x52, 0x54, 0, 0x77, 0, 1}
	for id, want := range map[string]string{"": "", "mac": "\x01" + string(mac), "01:02:ff": "\x01\x02\xff", "0,machine1": "\x00machine1"} {
		if got := (bootspec.IP{ClientID: id}).DHCPClientID(mac); string(got) != want || (got == nil) != (want == "") {
			t.Errorf("%q: %x, want %x", id, got, want)
		}
	}
}

// Facts of several leases: the first is the boot's, and values that it lacks are those of the
// others.
func TestLeaseFacts(t *testing.T) {
	a, p := netip.MustParseAddr, netip.MustParsePrefix
	first := dhcp.Lease{Interface: "eth0", Method: dhcp.Static, Address: p("10.1.1.5/24"), DNS: []netip.Addr{a("10.1.1.2")}}
	second := dhcp.Lease{
		Interface: "eth1", Address: p("10.1.2.5/24"), Server: a("10.1.2.1"), RootPath: "iscsi:10.1.2.9::::iqn.x:t", Initiator: "iqn.x:m",
		DNS: []netip.Addr{a("10.1.1.2"), a("10.1.2.2")}, Routes: []dhcp.Route{{To: p("10.9.0.0/16"), Via: a("10.1.2.1")}, {To: p("0.0.0.0/0"), Via: a("10.1.2.1")}},
	}
	f := bootspec.LeaseFacts(first, second)
	if f.Interface != "eth0" || f.Address != first.Address || f.Server != second.Server || f.RootPath != second.RootPath ||
		f.Gateway != second.Server || f.Initiator != "iqn.x:m" || fmt.Sprint(f.Nameservers) != "[10.1.1.2 10.1.2.2]" ||
		fmt.Sprint(f.Networks) != "[10.1.2.0/24 10.9.0.0/16]" {
		t.Errorf("facts %+v", f)
	}
}

// A value that only a server provides is listed by explain, and is not an error.
func TestLeftToDHCP(t *testing.T) {
	plan, err := parse("root=dhcp")
	if err != nil || plan.Check() != nil || !plan.UsesRootPath() {
		t.Errorf("%v, %v, %v", err, plan.Check(), plan.UsesRootPath())
	}
	_, warnings, err := plan.Preview(plan.Net.Facts())
	text := strings.Join(warnings, "\n")
	if err != nil || !strings.Contains(text, "the target name, which root= leaves to DHCP, comes from DHCP option 17") ||
		!strings.Contains(text, "the initiator name comes from DHCP option 203: write iscsi_i=NAME") {
		t.Errorf("%v\n%s", err, text)
	}
	named, err := parse("ip=dhcp iscsi_i=iqn.x:m iscsi_t=iqn.x:t iscsi_a=10.1.1.180")
	if err != nil || named.UsesRootPath() {
		t.Errorf("%v: the root path is wanted where the target is given: %v", err, named.UsesRootPath())
	}
}

// A FIFO, a device or a directory in place of a file of parameters is named, and does not stop the
// boot.
func TestGatherNotRegular(t *testing.T) {
	files := fstest.MapFS{
		"etc/iscsiroot/policy":  {Mode: fs.ModeNamedPipe | 0o644},
		"etc/iscsiroot/default": {Mode: fs.ModeDevice | 0o644},
	}
	line, warnings := bootspec.Gather(files, cmdline.Parse("rw"))
	want := []string{"/etc/iscsiroot/default is ignored: not a regular file", "/etc/iscsiroot/policy is ignored: not a regular file"}
	if diff := cmp.Diff(want, warnings); diff != "" || len(line.Params) != 1 {
		t.Errorf("%v, -want +got:\n%s", line.Params, diff)
	}
}

package handover

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

func testLink(id ...byte) Link {
	return Link{
		Name: "eth0", MAC: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}, DHCP: id != nil, ClientID: id,
	}
}

// contents are the files' texts by name, without those that are of no link.
func contents(files []File) map[string]string {
	m := map[string]string{}
	for _, f := range systemd(Facts{}) {
		files = slices.DeleteFunc(files, func(g File) bool { return g.Path == f.Path })
	}
	for _, f := range files {
		m[f.Path] = f.Content
	}
	return m
}

func TestFilesOfAStaticLink(t *testing.T) {
	got := contents(Files(Facts{
		Links:  []Link{testLink()},
		Others: []Link{{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.3/24")}}}, // up, and not kept
		Sessions: []runstate.Session{
			{SID: 1, Initiator: "iqn.a:m", Target: "iqn.b:t", Portal: netip.MustParseAddrPort("10.77.0.1:3260"), Root: true},
			{SID: 2, Initiator: "iqn.a:m", Target: "iqn.b:u", Portal: netip.MustParseAddrPort("[fd00::1]:3260")},
		},
		Root: Root{Networks: []string{"20-wired.network"}, Netplan: []string{"ens3"}, Interfaces: []Interface{
			{"ens2", netip.MustParseAddr("10.77.0.2"), false}, {"ens4", netip.MustParseAddr("10.77.0.3"), false}, {"br0", netip.MustParseAddr("10.77.0.2"), true},
		}},
	}))
	keep := "# From iscsiroot: root depends on this network.\n[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=yes\n"
	stay := "# From iscsiroot: root depends on the network, which must stay up.\n[Service]\nExecStop=\nKillMode=process\n"
	want := map[string]string{
		"iscsiroot/sessions": "# Sessions that iscsiroot made before the real system started.\n" +
			"session 1 target iqn.b:t portal 10.77.0.1:3260 initiator iqn.a:m root\n" +
			"session 2 target iqn.b:u portal [fd00::1]:3260 initiator iqn.a:m\n",
		"initramfs/open-iscsi.interface":                                 "eth0\n",
		"systemd/network/10-netplan-ens3.network.d/50-iscsiroot.conf":    keep,
		"systemd/network/20-wired.network.d/50-iscsiroot.conf":           keep,
		"systemd/network/10-netplan-eth0.network.d/50-iscsiroot.conf":    keep,
		"systemd/network/10-cloud-init-eth0.network.d/50-iscsiroot.conf": keep,
		"systemd/network/70-eth0.network.d/50-iscsiroot.conf":            keep,
		"systemd/network/71-default.network.d/50-iscsiroot.conf":         keep,
		"netplan/zz-iscsiroot.yaml": "# From iscsiroot: root depends on this network.\nnetwork:\n  version: 2\n  ethernets:\n" +
			"    \"ens3\":\n      critical: true\n",
		"network/ifstate": "ens2=ens2\nens4=ens4\n",
		"NetworkManager/conf.d/50-iscsiroot.conf": "# From iscsiroot: root depends on these links.\n" +
			"[device-iscsiroot-0]\nmatch-device=mac:52:54:00:12:34:56\nkeep-configuration=yes\n",
		"NetworkManager/conf.d/51-iscsiroot-before-1.32.6.conf": "# From iscsiroot: root depends on these links, and this version does not know keep-configuration.\n" +
			"[.config]\nenable=nm-version-min:1.0,except:nm-version-min:1.34,except:nm-version-min:1.32.6\n[device-iscsiroot-0]\nmatch-device=mac:52:54:00:12:34:56\nmanaged=0\n",
		"systemd/system/networking.service.d/50-iscsiroot.conf": stay,
		"systemd/system/ifup@.service.d/50-iscsiroot.conf":      stay,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutLinksOnlyTheSessionsAreTold(t *testing.T) {
	if got := contents(Files(Facts{})); len(got) != 1 || got["iscsiroot/sessions"] == "" {
		t.Errorf("files %v", got)
	}
}

func TestSystemd(t *testing.T) {
	got := map[string]string{}
	for _, f := range systemd(Facts{Program: "/run/x", ShutdownTimeout: time.Minute}) {
		got[f.Path] = f.Content
	}
	for path, want := range map[string]string{
		"systemd/system/iscsiroot-shutdown@.service":         "\nSlice=system.slice\nCPUWeight=10000\nNice=-20\nStandardInput=null\nStandardOutput=null\nStandardError=null\nExecStart=-/run/x begun %i 60\n",
		"systemd/system/poweroff.target.d/50-iscsiroot.conf": "\nWants=iscsiroot-shutdown@poweroff.service\n",
		"systemd/system/kexec.target.d/50-iscsiroot.conf":    "\nWants=iscsiroot-shutdown@kexec.service\n",
		"systemd/system/shutdown.target.d/50-iscsiroot.conf": "\nBefore=poweroff.target reboot.target halt.target kexec.target\n",
	} {
		if !strings.Contains(got[path], want) {
			t.Errorf("%s is %q, want %q", path, got[path], want)
		}
	}
}

// No rename is requested of a kernel that renames no link that is up.
func TestNamesThatStay(t *testing.T) {
	const path = "systemd/network/98-iscsiroot-eth0.link"
	f := Facts{Links: []Link{testLink()}}
	if got, ok := contents(Files(f))[path]; ok {
		t.Errorf("without need %q", got)
	}
	f.NamesStay = true
	want := "# From iscsiroot: this kernel renames no link that is up.\n[Match]\nMACAddress=52:54:00:12:34:56\nType=ether\n\n" +
		"[Link]\nNamePolicy=\nAlternativeNamesPolicy=database onboard slot path\nMACAddressPolicy=none\n"
	if diff := cmp.Diff(want, contents(Files(f))[path]); diff != "" {
		t.Error(diff)
	}
	f.Links[0].Made = true // udev does not take a bond's type for that of a card
	if got := contents(Files(f))[path]; !strings.Contains(got, "\nOriginalName=eth0\n") || strings.Contains(got, "Type=") {
		t.Errorf("of a bond: %q", got)
	}
}

func TestIPv6(t *testing.T) {
	l := testLink()
	if got := ipv6([]Link{l}); got != "" {
		t.Errorf("IPv4 only: %q", got)
	}
	l.Addresses = append(l.Addresses, netip.MustParsePrefix("fd00::2/64"))
	if got := ipv6([]Link{testLink(), l}); got != "LinkLocalAddressing=ipv6\n" {
		t.Errorf("static: %q", got)
	}
	l.Router = true
	if got := ipv6([]Link{l}); got != "LinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n" {
		t.Errorf("advertised: %q", got)
	}
}

// What the Debian installer, a person and cloud-init write.
func TestInterfaces(t *testing.T) {
	const text = "source /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\n\n# The primary network interface\nallow-hotplug ens2\n" +
		"iface ens2 inet static\n\taddress 192.168.1.5/24\n\tgateway 192.168.1.1\n" +
		"iface ens3 inet static\n    address 10.0.0.1\n    netmask 255.0.0.0\niface ens3 inet6 static\n  address fd00::3/64\n" +
		"iface ens4 inet dhcp\n  address 10.0.0.9\niface ens5 inet \\\n static\n address 10.0.0.5\nauto ens6\n address 10.0.0.6\n" +
		"iface ../x inet static\n address 10.0.0.7\niface ens8 inet static\n address nonsense\n" +
		"iface vmbr0 inet static\n\taddress 10.0.0.10/24\n\tbridge-ports ens2\n\tbridge-stp off\niface bond0 inet static\n bond-slaves ens2 ens3\n address 10.0.0.11\n" +
		"iface ens9 inet static\n address 10.0.0.12\n"
	want := []Interface{
		{"ens2", netip.MustParseAddr("192.168.1.5"), false},
		{"ens3", netip.MustParseAddr("10.0.0.1"), false},
		{"ens3", netip.MustParseAddr("fd00::3"), false},
		{"ens5", netip.MustParseAddr("10.0.0.5"), false},
		{"vmbr0", netip.MustParseAddr("10.0.0.10"), true},
		{"bond0", netip.MustParseAddr("10.0.0.11"), true},
		{"ens9", netip.MustParseAddr("10.0.0.12"), false},
	}
	if diff := cmp.Diff(want, interfaces(text), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func FuzzInterfaces(f *testing.F) {
	f.Add("iface ens2 inet static\n\taddress 192.168.1.5/24\n")
	f.Add("iface ens3 inet6 \\\n static\n  address fd00::3/64\nauto x\naddress 1.2.3.4\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, i := range interfaces(text) {
			if !plain(i.Name) || !i.Address.IsValid() {
				t.Errorf("%+v", i)
			}
		}
	})
}

func TestClientID(t *testing.T) {
	ll := []byte{255, 0, 0x12, 0x34, 0x56, 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56}
	hardware := []byte{1, 0x52, 0x54, 0, 0x12, 0x34, 0x56}
	tests := []struct {
		name  string
		links []Link
		want  string
	}{
		{"RFC 4361 of a link-layer DUID", []Link{testLink(ll...)}, "[DHCPv4]\nClientIdentifier=duid\nDUIDType=link-layer\nIAID=1193046\n"},
		{"RFC 2132 of a MAC", []Link{testLink(hardware...)}, "[DHCPv4]\nClientIdentifier=mac\n"},
		{"two of their MACs", []Link{testLink(hardware...), testLink(), testLink(hardware...)}, "[DHCPv4]\nClientIdentifier=mac\n"},
		{"one of its MAC alone", []Link{testLink(hardware...), testLink(ll...)}, ""},
		{"somebody's own", []Link{testLink(0, 'a')}, ""},
		{"cut short", []Link{testLink(ll[:6]...)}, ""},
		{"two leases", []Link{testLink(ll...), testLink(ll...)}, ""},
		{"static", []Link{testLink()}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clientID(tt.links); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// NetworkManager gives a profile that names none the client identifier of the boot.
func TestClientIDOfNetworkManager(t *testing.T) {
	const device = "[device-iscsiroot-0]\nmatch-device=mac:52:54:00:12:34:56\nkeep-configuration=yes\n"
	const connection = "[connection-iscsiroot-0]\nmatch-device=mac:52:54:00:12:34:56\nipv4.dhcp-client-id="
	for _, tt := range []struct {
		link Link
		want string
	}{
		{testLink(), device},
		{testLink(1, 0x52, 0x54, 0, 0x12, 0x34, 0x56), device + connection + "mac\n"},
		{testLink(255, 0, 0x12, 0x34), device + connection + "ff:00:12:34\n"},
		{testLink(0, 'a'), device + connection + "00:61\n"},
	} {
		if _, got, _ := strings.Cut(networkManager([]Link{tt.link})[0].Content, "\n"); got != tt.want {
			t.Errorf("%x: got %q, want %q", tt.link.ClientID, got, tt.want)
		}
	}
}

func TestSurvey(t *testing.T) {
	root := fstest.MapFS{
		"etc/systemd/network/20-wired.network":         {},
		"etc/systemd/network/20-wired.network.d/x":     {},
		"usr/lib/systemd/network/20-wired.network":     {},
		"usr/lib/systemd/network/80-container.network": {},
		"etc/systemd/network/10-name.link":             {},
		"etc/netplan/50-cloud-init.yaml": {Data: []byte("network:\n  version: 2\n  ethernets:\n" +
			"    ens3: # the first\n      dhcp4: true\n\n    \"id0\":\n      match:\n        name: en*\n    ../x:\n      dhcp4: true\n  bonds:\n    b0:\n      interfaces: [ens3]\n")},
		"etc/netplan/huge.yaml":             {Data: make([]byte, maxFile+1)},
		"etc/network/interfaces":            {Data: []byte("auto eth0\niface eth0 inet static\n address 10.0.0.1/24\n")},
		"etc/network/interfaces.d/50-cloud": {Data: []byte("iface eth1 inet static\n address 10.0.0.2/24\n")},
		"etc/network/interfaces.d/dir/x":    {},
	}
	got, err := Survey(root)
	if err == nil || !strings.Contains(err.Error(), "larger than 256 KiB") {
		t.Errorf("error %v", err)
	}
	want := Root{Networks: []string{"20-wired.network", "80-container.network"}, Netplan: []string{"id0"}, NetplanPorts: []string{"ens3"}}
	want.Interfaces = []Interface{{"eth1", netip.MustParseAddr("10.0.0.2"), false}, {"eth0", netip.MustParseAddr("10.0.0.1"), false}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if got, err := Survey(fstest.MapFS{}); err != nil || got.Networks != nil {
		t.Errorf("an empty root: %v, %v", got, err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "blocked"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Write(dir, []File{{Path: "blocked/a", Mode: 0o644}, {Path: "b/c", Mode: 0o644, Content: "x"}})
	if err == nil {
		t.Error("a file below a file was written")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "b/c")); string(b) != "x" {
		t.Errorf("second file: %q, %v", b, err)
	}
}

func FuzzNetplanIDs(f *testing.F) {
	f.Add("network:\n  ethernets:\n    ens3:\n      dhcp4: true\n")
	f.Add("ethernets:\n a:\n  b: c\nbonds:\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, id := range netplanIDs(text) {
			if !plain(id) || strings.Contains(id, "/") {
				t.Errorf("id %q is not a part of a file's name", id)
			}
		}
	})
}

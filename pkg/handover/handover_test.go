package handover

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func testLink(id ...byte) Link {
	return Link{
		Name: "eth0", MAC: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}, DHCP: id != nil, ClientID: id,
	}
}

func contents(files []File) map[string]string {
	m := map[string]string{}
	for _, f := range files {
		m[f.Path] = f.Content
	}
	return m
}

func TestFilesOfAStaticLink(t *testing.T) {
	got := contents(Files(Facts{
		Links: []Link{testLink()},
		Sessions: []Session{
			{SID: 1, Initiator: "iqn.a:m", Target: "iqn.b:t", Portal: netip.MustParseAddrPort("10.77.0.1:3260"), Root: true},
			{SID: 2, Initiator: "iqn.a:m", Target: "iqn.b:u", Portal: netip.MustParseAddrPort("[fd00::1]:3260")},
		},
		Root: Root{Networks: []string{"20-wired.network"}, Netplan: []string{"ens3"}},
	}))
	keep := "# From iscsiroot: root hangs on this network.\n[Network]\nKeepConfiguration=yes\n"
	stay := "# From iscsiroot: root hangs on the network, which must stay.\n[Service]\nExecStop=\n"
	want := map[string]string{
		"iscsiroot/sessions": "# Sessions that iscsiroot made before the real system started.\n" +
			"session 1 target iqn.b:t portal 10.77.0.1:3260 initiator iqn.a:m root\n" +
			"session 2 target iqn.b:u portal [fd00::1]:3260 initiator iqn.a:m\n",
		"initramfs/open-iscsi.interface":                              "eth0\n",
		"systemd/network/10-netplan-ens3.network.d/50-iscsiroot.conf": keep,
		"systemd/network/20-wired.network.d/50-iscsiroot.conf":        keep,
		"NetworkManager/conf.d/50-iscsiroot.conf": "# From iscsiroot: root hangs on these links.\n" +
			"[device-iscsiroot-0]\nmatch-device=mac:52:54:00:12:34:56\nkeep-configuration=yes\n",
		"systemd/system/networking.service.d/50-iscsiroot.conf": stay,
		"systemd/system/ifup@.service.d/50-iscsiroot.conf":      stay,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutLinksOnlyTheSessionsAreTold(t *testing.T) {
	if got := Files(Facts{}); len(got) != 1 || got[0].Path != "iscsiroot/sessions" {
		t.Errorf("files %v", got)
	}
}

func TestClientID(t *testing.T) {
	ll := []byte{255, 0, 0x12, 0x34, 0x56, 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56}
	tests := []struct {
		name  string
		links []Link
		want  string
	}{
		{"RFC 4361 of a link-layer DUID", []Link{testLink(ll...)}, "[DHCPv4]\nClientIdentifier=duid\nDUIDType=link-layer\nIAID=1193046\n"},
		{"RFC 2132 of a MAC", []Link{testLink(1, 0x52, 0x54, 0, 0x12, 0x34, 0x56)}, "[DHCPv4]\nClientIdentifier=mac\n"},
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

func TestSurvey(t *testing.T) {
	root := fstest.MapFS{
		"etc/systemd/network/20-wired.network":         {},
		"etc/systemd/network/20-wired.network.d/x":     {},
		"usr/lib/systemd/network/20-wired.network":     {},
		"usr/lib/systemd/network/80-container.network": {},
		"etc/systemd/network/10-name.link":             {},
		"etc/netplan/50-cloud-init.yaml": {Data: []byte("network:\n  version: 2\n  ethernets:\n" +
			"    ens3: # the first\n      dhcp4: true\n\n    \"id0\":\n      match:\n        name: en*\n    ../x:\n      dhcp4: true\n  bonds:\n    b0:\n      interfaces: [ens3]\n")},
		"etc/netplan/huge.yaml": {Data: make([]byte, maxYAML+1)},
	}
	got, err := Survey(root)
	if err == nil || !strings.Contains(err.Error(), "larger than 256 KiB") {
		t.Errorf("error %v", err)
	}
	want := Root{Networks: []string{"20-wired.network", "80-container.network"}, Netplan: []string{"ens3", "id0"}}
	if diff := cmp.Diff(want, got); diff != "" {
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
				t.Errorf("id %q is no part of a file's name", id)
			}
		}
	})
}

package handover

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// Each root has one file eth.network, or files and drop-ins of that name, as hypervisors have them.
func TestPorts(t *testing.T) {
	const (
		etc  = "etc/systemd/network/eth.network"
		lib  = "usr/lib/systemd/network/eth.network"
		port = "[Match]\nName=eth0\n\n[Network]\nBridge=br0\n"
		host = "[Match]\nName=eth0\n\n[Network]\nAddress=10.77.0.2/24\nGateway=10.77.0.1\n"
	)
	tests := map[string]struct {
		files map[string]string
		want  bool
	}{
		"addresses":                {map[string]string{etc: host}, false},
		"bridge":                   {map[string]string{etc: port}, true},
		"bond":                     {map[string]string{etc: "[Match]\nName=en*\n[Network]\n Bond = bond0\nPrimarySlave=true\n"}, true},
		"B.A.T.M.A.N.":             {map[string]string{etc: "[Network]\nBatmanAdvanced=bat0\n"}, true},
		"VRF":                      {map[string]string{etc: "[Network]\nVRF=vrf-red\nDHCP=yes\n"}, false},
		"VLANs on it":              {map[string]string{etc: "[Network]\nVLAN=eth0.5\nMACVLAN=mv0\nLinkLocalAddressing=no\n"}, false},
		"a comment":                {map[string]string{etc: "[Network]\n#Bridge=br0\n; Bond=b\nDHCP=yes\n"}, false},
		"another section":          {map[string]string{etc: "[Network]\nDHCP=yes\n[Bridge]\nBridge=br0\n[Match]\nBond=b\n"}, false},
		"a key that begins so":     {map[string]string{etc: "[Network]\nBridgeX=br0\nbridge=br0\n"}, false},
		"the last value counts":    {map[string]string{etc: port + "[Network]\nBridge=\n"}, false},
		"a line that goes on":      {map[string]string{etc: "[Network]\nBridge=\\\nbr0\n"}, true},
		"byte order mark, CR LF":   {map[string]string{etc: "\ufeff[Network]\r\nBridge=br0\r\n"}, true},
		"drop-in":                  {map[string]string{etc: host, etc + ".d/10-br.conf": "[Network]\nBridge=br0\n"}, true},
		"drop-in of another dir":   {map[string]string{etc: host, lib + ".d/10-br.conf": "[Network]\nBond=b0\n"}, true},
		"drop-in alone":            {map[string]string{lib: host, etc + ".d/10-br.conf": "[Network]\nBridge=br0\n"}, true},
		"drop-in takes it back":    {map[string]string{etc: port, lib + ".d/10-no.conf": "[Network]\nBridge=\n"}, false},
		"later drop-in counts":     {map[string]string{etc: host, etc + ".d/20-no.conf": "[Network]\nBridge=\n", lib + ".d/10-br.conf": "[Network]\nBridge=br0\n"}, false},
		"drop-in that is masked":   {map[string]string{etc: host, etc + ".d/10-br.conf": "", lib + ".d/10-br.conf": "[Network]\nBridge=br0\n"}, false},
		"no drop-in by its name":   {map[string]string{etc: host, etc + ".d/10-br.txt": "[Network]\nBridge=br0\n"}, false},
		"another file's drop-in":   {map[string]string{etc: host, "etc/systemd/network/x.network.d/10-br.conf": "[Network]\nBridge=br0\n"}, false},
		"the administrator's file": {map[string]string{etc: host, lib: port}, false},
		"and the other way round":  {map[string]string{etc: port, lib: host}, true},
		"too large":                {map[string]string{etc: port + strings.Repeat("#", maxFile)}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range tt.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := Survey(root)
			if name == "too large" != (err != nil) {
				t.Error(err)
			}
			if ports := slices.Contains(got.Ports, "eth.network"); ports != tt.want || ports == slices.Contains(got.Networks, "eth.network") {
				t.Errorf("got %+v, want a port: %v", got, tt.want)
			}
		})
	}
}

// What netplan's own examples and Ubuntu's installer have.
func TestNetplanMembers(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"bridge":        {"network:\n  version: 2\n  ethernets:\n    enp3s0:\n      dhcp4: no\n  bridges:\n    br0:\n      dhcp4: yes\n      interfaces:\n        - enp3s0\n", []string{"enp3s0"}},
		"bond in flow":  {"network:\n  bonds:\n    bond0:\n      interfaces: [eno1, \"eno2\"] # two\n      addresses: [10.0.0.1/24]\n", []string{"eno1", "eno2"}},
		"over lines":    {"network:\n    bonds:\n        bond0:\n            interfaces: [ # all\n                eno1,\n                eno2 ]\n            dhcp4: true\n", []string{"eno1", "eno2"}},
		"hyphens":       {"bridges:\n  br0:\n    interfaces:\n    - ens1\n    - ens2 # x\n    addresses:\n    - 10.0.0.1/24\n  br1:\n    interfaces: []\n", []string{"ens1", "ens2"}},
		"VRF":           {"network:\n  vrfs:\n    red:\n      table: 5\n      interfaces: [ens1]\n", nil},
		"of no section": {"network:\n  ethernets:\n    ens1:\n      interfaces: [ens2]\n", nil},
		"not closed":    {"bridges:\n  br0:\n    interfaces: [ens1\n", []string{"ens1"}},
		"no name":       {"bridges:\n  br0:\n    interfaces: [../x, a b, '']\n", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, netplanMembers(tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A port has no drop-in, for any name of its file; the bridge's file, and other links', have their
// drop-ins.
func TestPortsHaveNoDropIn(t *testing.T) {
	root := fstest.MapFS{
		"etc/systemd/network/10-br0.network":  {Data: []byte("[Match]\nName=br0\n[Network]\nAddress=10.77.0.2/24\n")},
		"etc/systemd/network/10-eth0.network": {Data: []byte("[Match]\nName=eth0\n[Network]\nBridge=br0\n")},
		"etc/systemd/network/70-eth0.network": {Data: []byte("[Match]\nName=eth0\n[Network]\nBond=bond0\n")},
		"etc/netplan/a.yaml":                  {Data: []byte("network:\n  ethernets:\n    eth0: {}\n    eth1: {}\n    eth2:\n      dhcp4: true\n")},
		"etc/netplan/b.yaml":                  {Data: []byte("network:\n  bridges:\n    br1:\n      interfaces: [eth0, eth1]\n")},
	}
	r, err := Survey(root)
	if err != nil {
		t.Fatal(err)
	}
	got := contents(Files(Facts{Links: []Link{testLink()}, Root: r}))
	for name, want := range map[string]bool{
		"10-br0": true, "10-eth0": false, "70-eth0": false, "10-netplan-eth0": false, "10-netplan-eth1": false, "10-netplan-eth2": true, "71-default": true,
	} {
		if _, ok := got["systemd/network/"+name+".network.d/50-iscsiroot.conf"]; ok != want {
			t.Errorf("drop-in for %s: %v", name, ok)
		}
	}
	if plan := got["netplan/zz-iscsiroot.yaml"]; !strings.Contains(plan, `"eth2"`) || strings.Contains(plan, "eth0") || strings.Contains(plan, "eth1") {
		t.Errorf("netplan %q", plan)
	}
}

func FuzzPortKeys(f *testing.F) {
	f.Add("[Match]\nName=eth0\n[Network]\nBridge=br0\n")
	f.Add("[Network]\nBond=\\\n b0\n;x\n=\n[Network")
	f.Fuzz(func(t *testing.T, text string) {
		of := map[string]string{}
		readPortKeys(text, of)
		for key, value := range of {
			if !slices.Contains(portKeys, key) || strings.Contains(value, "\n") {
				t.Errorf("%q = %q", key, value)
			}
		}
	})
}

func FuzzNetplanMembers(f *testing.F) {
	f.Add("bridges:\n  br0:\n    interfaces: [a, b]\n")
	f.Add("bonds:\n  b:\n    interfaces:\n    - a\n    - \"b\"\n  x: [\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, id := range netplanMembers(text) {
			if !plain(id) || strings.Contains(id, "/") {
				t.Errorf("id %q", id)
			}
		}
	})
}

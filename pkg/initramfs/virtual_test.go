package initramfs

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Modules for bonds and the like are in an image for any card, and where they are requested.
func TestSelectVirtual(t *testing.T) {
	idx, err := kmod.Read(fstest.MapFS{"modules.dep": {Data: []byte("net/8021q/8021q.ko:\ndrivers/net/bonding/bonding.ko:\n")}})
	if err != nil {
		t.Fatal(err)
	}
	one := []string{"virtio_net"}
	for _, tt := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"any card", Config{}, []string{"8021q", "bonding"}},
		{"one card", Config{NICs: one}, nil},
		{"requested", Config{NICs: one, Network: []string{"bridge", "vlan"}}, []string{"8021q", "bridge"}},
		{"default", Config{NICs: one, Default: "vlan=vlan5:eth0 ip=10.0.0.1"}, []string{"8021q"}},
		{"policy", Config{Devices: []string{"8086:100e"}, Policy: "bond=bond0:eth0"}, []string{"bonding"}},
		{"command line", Config{NICs: one, UKI: &UKI{CommandLine: "bridge=br0:eth0"}}, []string{"bridge"}},
	} {
		got, err := selectVirtual(idx, tt.cfg, nil)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	if _, err := selectVirtual(idx, Config{Network: []string{"team"}}, nil); err == nil {
		t.Error("team is taken")
	}
}

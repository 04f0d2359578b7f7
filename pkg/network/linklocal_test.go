package network

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestLinkLocal(t *testing.T) {
	mac, err := net.ParseMAC("52:54:00:77:00:01")
	if err != nil {
		t.Fatal(err)
	}
	if got := linkLocal(mac); got.String() != "fe80::5054:ff:fe77:1" {
		t.Errorf("got %v", got)
	}
	if got := linkLocal(mac[:4]); got != nil {
		t.Errorf("of an address that is not Ethernet's: %v", got)
	}
}

// An interface with another address generation mode, or without IPv6, is left to the kernel.
func TestGeneratesEUI64(t *testing.T) {
	for _, c := range []struct {
		mode, disabled string
		want           bool
	}{{"0\n", "0\n", true}, {"1\n", "0\n", false}, {"3\n", "0\n", false}, {"0\n", "1\n", false}, {"", "", false}} {
		conf := t.TempDir()
		if c.mode != "" {
			for file, text := range map[string]string{"addr_gen_mode": c.mode, "disable_ipv6": c.disabled} {
				name := filepath.Join(conf, "eth0", file)
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := generatesEUI64(conf, "eth0"); got != c.want {
			t.Errorf("addr_gen_mode %q, disable_ipv6 %q: %v", c.mode, c.disabled, got)
		}
	}
}

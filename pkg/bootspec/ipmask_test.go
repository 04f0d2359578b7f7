package bootspec_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Without a mask an address has that of its class, as the kernel has it (net/ipv4/ipconfig.c:
// ic_setup_if, in.h: IN_CLASSA to IN_CLASSC): both ends of each class. IPv6 has 64.
func TestClassMasks(t *testing.T) {
	for address, want := range map[string]string{
		"1.0.0.1": "8", "126.255.255.254": "8",
		"128.0.0.1": "16", "191.255.255.254": "16",
		"192.0.0.1": "24", "223.255.255.254": "24",
		"[2001:db8::5]": "64",
	} {
		for _, rest := range []string{":::::eth0:none", ":::0.0.0.0::eth0:none", "::::::"} {
			ip, cause := bootspec.ParseIP(address + rest)
			if _, bits, _ := strings.Cut(ip.Address.String(), "/"); cause != "" || bits != want || !ip.Guessed {
				t.Errorf("%s%s: %s, guessed %v, %s, want /%s", address, rest, ip.Address, ip.Guessed, cause, want)
			}
		}
		given, cause := bootspec.ParseIP(address + ":::30::eth0:none")
		if cause != "" || given.Address.Bits() != 30 || given.Guessed {
			t.Errorf("%s with a mask: %s, guessed %v, %s", address, given.Address, given.Guessed, cause)
		}
	}
}

// The limits of ip=: each value at its limit is accepted, and the next one is not.
func TestBoundsOfIP(t *testing.T) {
	for _, tt := range []struct{ text, want, cause string }{
		{"eth0:dhcp:68", "eth0:dhcp:68", ""},
		{"eth0:dhcp:67", "", "67 is neither an MTU nor a name server's address"},
		{"eth0:dhcp:65535", "eth0:dhcp:65535", ""},
		{"eth0:dhcp:65536", "", "65536 is neither an MTU nor a name server's address"},
		{"10.1.1.5:::0::eth0:none", "", "the mask 0 is neither a netmask nor a prefix length"},
		{"10.1.1.5:::1::eth0:none", "10.1.1.5/1:::::eth0:static", ""},
		{"10.1.1.5:::32::eth0:none", "10.1.1.5/32:::::eth0:static", ""},
		{"10.1.1.5:::33::eth0:none", "", "the mask 33 is neither a netmask nor a prefix length"},
		{"10.1.1.5:::255.0.255.0::eth0:none", "", "the mask 255.0.255.0 is neither a netmask nor a prefix length"},
		{"10.1.1.5/33", "", "the length 33 is not a prefix length"},
		{"[2001:db8::5/128]", "[2001:db8::5/128]::::::static", ""},
		{"[2001:db8::5/129]", "", "the length 129 is not a prefix length"},
		{"10.1.1.5:10.1.1.6/33::24::eth0:none", "", "the peer's length 33 is not a prefix length"},
		{"10.1.1.5:x/8::24::eth0:none", "", "the peer x/8 is not an address"},
		{"10.1.1.5::224.0.0.1:24::eth0:none", "", "the gateway 224.0.0.1 is not an address"},
		{"10.1.1.5::x:24::eth0:none", "", "the gateway x is not an address"},
		{"127.0.0.1:::24::eth0:none", "", "the client's address 127.0.0.1 is not a host address"},
		{"224.0.0.1", "", "the client's address 224.0.0.1 is not a host address"},
		{"[::1]", "", "the client's address [::1] is not a host address"},
		{"[::ffff:10.1.1.5]", "", "the client's address [::ffff:10.1.1.5] is not a host address"},
		// More after the method than it may have.
		{"10.1.1.5:::24::eth0:none:10.1.1.2:10.1.1.3:10.1.1.4:10.1.1.6", "", "4 parts after the method, want at most two name servers and a time server"},
		{"eth0:dhcp:10.1.1.2:224.0.0.1", "", "224.0.0.1 is not a name server address"},
		{"eth0:dhcp::52:54:00:12:34", "", "52:54:00:12:34 is not a MAC"},
		{":::::eth0:dhcp" + strings.Repeat(":", 13), "eth0:dhcp", ""}, // 20 parts
		{":::::eth0:dhcp" + strings.Repeat(":", 14), "", "21 parts, limit 20"},
		// A point-to-point link has two addresses or one; a third is a boot server.
		{"10.1.1.4:10.1.1.5::31::eth0:none", "10.1.1.4/31:10.1.1.5/32::::eth0:static", ""},
		{"10.1.1.4:10.1.1.6::31::eth0:none", "10.1.1.4/31:::::eth0:static", ""},
		{"10.1.1.4:10.1.1.5::30::eth0:none", "10.1.1.4/30:::::eth0:static", ""},
		{"10.1.1.4:10.1.1.4::32::eth0:none", "10.1.1.4/32:::::eth0:static", ""},
		{"10.1.1.4:[2001:db8::1]::32::eth0:none", "10.1.1.4/32:::::eth0:static", ""},
		{"10.1.1.4:224.0.0.1::32::eth0:none", "10.1.1.4/32:::::eth0:static", ""},
		// No method may stand beside one that excludes it.
		{"dhcp,none", "", "none cannot be combined with another method"},
		{"static,dhcp", "", "cannot be combined with another method"},
		{"eth0:ibft,dhcp", "", "ibft cannot be combined with another method"},
		{"dhcp,dhcp", "dhcp", ""},
		{"dhcp,x", "", "x is not a method"},
	} {
		ip, cause := bootspec.ParseIP(tt.text)
		if tt.cause == "" && (cause != "" || ip.String() != tt.want) || tt.cause != "" && !strings.Contains(cause, tt.cause) {
			t.Errorf("ip=%s: %s, cause %q, want %s %q", tt.text, ip, cause, tt.want, tt.cause)
		}
	}
}

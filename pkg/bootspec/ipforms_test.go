package bootspec_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// ipForms are the forms of ip= in the manuals, each with its parsed form, or with the text of its
// error after an exclamation mark.
var ipForms = []struct{ manual, text, want string }{
	// Linux, Documentation/admin-guide/nfs/nfsroot.rst, net/ipv4/ipconfig.c
	{"nfsroot", "off", "off"},
	{"nfsroot", "none", "off"},
	{"nfsroot", "on", "dhcp"},
	{"nfsroot", "any", "dhcp"},
	{"nfsroot", "dhcp", "dhcp"},
	{"nfsroot", "dhcp4", "dhcp"}, // it compares four letters
	{"nfsroot", "bootp", "dhcp"},
	{"nfsroot", "both", "dhcp"},
	{"nfsroot", "rarp", "!RARP is not supported: use dhcp"},
	{"nfsroot", "dhcp,0,machine1", "dhcp,0,machine1"},
	{"nfsroot", "::::::off", "off"},
	{"nfsroot", ":::::eth0:dhcp", "eth0:dhcp"},
	{"nfsroot", ":::::eth0:dhcp,0,machine1", "eth0:dhcp,0,machine1"},
	{"nfsroot", "::::host1:eth0:on", "::::host1:eth0:dhcp"},
	{"nfsroot", "::::host1.domain1:eth0:dhcp", "::::host1.domain1:eth0:dhcp"},
	{"nfsroot", "::10.1.1.1::::dhcp", "::10.1.1.1::::dhcp"},
	{"nfsroot", "10.1.1.5", "10.1.1.5/32::::::static"}, // its class's mask comes with netmask=
	{"nfsroot", "10.1.1.5::::::", "10.1.1.5/8::::::static"},
	{"nfsroot", "10.1.1.5:10.1.1.9:10.1.1.1:255.255.255.0:host1:eth0:off", "10.1.1.5/24::10.1.1.1::host1:eth0:static"},
	{"nfsroot", "10.1.1.5:10.1.1.9:10.1.1.1:255.255.255.0:host1:eth0:none:10.1.1.2", "10.1.1.5/24::10.1.1.1::host1:eth0:static:10.1.1.2:"},
	{"nfsroot", "10.1.1.5::10.1.1.1:255.255.255.0::eth0:none:10.1.1.2:10.1.1.3:10.1.1.4", "10.1.1.5/24::10.1.1.1:::eth0:static:10.1.1.2:10.1.1.3:10.1.1.4"},
	{"nfsroot", "10.1.1.5::10.1.1.1:255.255.255.0::eth0:none::10.1.1.3", "10.1.1.5/24::10.1.1.1:::eth0:static:10.1.1.3:"},
	{"nfsroot", "10.1.1.5::10.1.1.1:255.255.255.0::eth0:none:::10.1.1.4", "10.1.1.5/24::10.1.1.1:::eth0:static:::10.1.1.4"},
	{"nfsroot", "10.1.1.5::10.1.1.1:255.255.255.0::eth0:::::", "10.1.1.5/24::10.1.1.1:::eth0:static"},
	{"nfsroot", "10.1.1.5::10.1.1.1:255.255.255.0::eth0:off:10.1.1.2::", "10.1.1.5/24::10.1.1.1:::eth0:static:10.1.1.2:"},

	// PXELINUX, IPAPPEND 1
	{"pxelinux", "10.1.1.5:10.1.1.9:10.1.1.1:255.255.255.0", "10.1.1.5/24::10.1.1.1::::static"},
	{"pxelinux", "10.1.1.5:10.1.1.9:0.0.0.0:255.255.255.0", "10.1.1.5/24::::::static"},
	{"pxelinux", "10.99.0.3:203.0.113.3:10.99.0.2:255.255.255.254", "10.99.0.3/31::10.99.0.2::::static"},
	{"pxelinux", "10.99.0.3:10.99.0.2:0.0.0.0:255.255.255.254", "10.99.0.3/31:10.99.0.2/32:::::static"},
	{"pxelinux", "10.99.0.3:203.0.113.3:0.0.0.0:255.255.255.254", "10.99.0.3/31::::::static"},
	{"pxelinux", "10.99.0.3:203.0.113.3:10.99.0.1:255.255.255.255", "10.99.0.3/32::10.99.0.1::::static"},

	// klibc, README.ipconfig, and initramfs-tools(7)
	{"ipconfig", "eth0", "eth0:dhcp"},
	{"ipconfig", "enp3s0f1np1", "enp3s0f1np1:dhcp"},
	{"ipconfig", "BOOTIF", "BOOTIF:dhcp"},
	{"ipconfig", ":::::eth0", "eth0:dhcp"},
	{"ipconfig", "::::host1:BOOTIF", "::::host1:BOOTIF:dhcp"},
	{"ipconfig", "::::host1:BOOTIF:dhcp", "::::host1:BOOTIF:dhcp"},
	{"ipconfig", "10.1.1.5:::255.255.255.0::BOOTIF", "10.1.1.5/24:::::BOOTIF:static"},
	{"ipconfig", ":::::all:dhcp", "dhcp"},
	{"ipconfig", "all", "dhcp"},
	{"ipconfig", ":::::eth0:both", "eth0:dhcp"},
	{"ipconfig", ":::::eth0:all", "eth0:dhcp"},
	{"ipconfig", ":::::eth0:down", "eth0:off"},
	{"ipconfig", ":::::eth0:static", "eth0:static"},
	{"ipconfig", ":::::eth0:rarp", "!RARP is not supported: use dhcp"},
	{"ipconfig", "192.168.1.1:::::eth2:none", "192.168.1.1/24:::::eth2:static"},
	{"ipconfig", "10.1.1.5:0.0.0.0:0.0.0.0:0.0.0.0:host1:eth0:static", "10.1.1.5/8::::host1:eth0:static"},
	{"ipconfig", "0.0.0.0:0.0.0.0:0.0.0.0:0.0.0.0:host1:eth0:dhcp", "::::host1:eth0:dhcp"},

	// dracut.cmdline(7)
	{"dracut", "auto6", "auto6"},
	{"dracut", "dhcp6", "dhcp6"},
	{"dracut", "either6", "either6"},
	{"dracut", "link6", "link-local"},
	{"dracut", "single-dhcp", "dhcp"},
	{"dracut", "dhcp,dhcp6", "dhcp,dhcp6"},
	{"dracut", "ibft", "ibft"},
	{"dracut", "eth0:", "eth0:dhcp"},
	{"dracut", "eth0:on", "eth0:dhcp"},
	{"dracut", "eth0:any", "eth0:dhcp"},
	{"dracut", "eth0:dhcp6", "eth0:dhcp6"},
	{"dracut", "eth0:auto6", "eth0:auto6"},
	{"dracut", "eth0:link6", "eth0:link-local"},
	{"dracut", "eth0:static", "eth0:static"},
	{"dracut", "eth0:none", "eth0:off"},
	{"dracut", "static", "off"},
	{"dracut", "eth0:dhcp:1400", "eth0:dhcp:1400"},
	{"dracut", "eth0:dhcp:1400:52:54:00:12:34:56", "eth0:dhcp:1400:52:54:00:12:34:56"},
	{"dracut", "eth0:dhcp::52:54:00:12:34:56", "eth0:dhcp::52:54:00:12:34:56"},
	{"dracut", "enx525400123456:dhcp", "52-54-00-12-34-56:dhcp"},
	{"dracut", "10.1.1.5:10.1.1.6/32:10.1.1.1:24:host1:eth0:none:1400:52:54:00:12:34:56", "10.1.1.5/24:10.1.1.6/32:10.1.1.1::host1:eth0:static:1400:52:54:00:12:34:56"},
	{"dracut", "10.1.1.5:10.1.1.6::32::eth0:none", "10.1.1.5/32:10.1.1.6/32::::eth0:static"},
	{"dracut", "10.1.1.5::10.1.1.1:24::eth0:none:10.1.1.2:10.1.1.3", "10.1.1.5/24::10.1.1.1:::eth0:static:10.1.1.2:10.1.1.3"},
	{"dracut", "[2001:db8::5]:[2001:db8::4]::127::eth0:none", "[2001:db8::5/127]:[2001:db8::4/128]::::eth0:static"},
	{"dracut", "[2001:db8::5]:[2001:db8::9]:[2001:db8::4]:127::eth0:none", "[2001:db8::5/127]::[2001:db8::4]:::eth0:static"},
	{"dracut", "[2001:db8::5]:[2001:db8::9]::128::eth0:none", "[2001:db8::5/128]:[2001:db8::9/128]::::eth0:static"},
	{"dracut", "[2001:db8::5]::[2001:db8::1]:64:host1:eth0:none:[2001:db8::53]", "[2001:db8::5/64]::[2001:db8::1]::host1:eth0:static:[2001:db8::53]:"},

	// nm-initrd-generator(8), nmi-cmdline-reader.c
	{"NetworkManager", "auto", "dhcp"},
	{"NetworkManager", "fw", "ibft"},
	{"NetworkManager", "eth0:auto:1400:52-54-00-12-34-56", "eth0:dhcp:1400:52:54:00:12:34:56"},
	{"NetworkManager", "eth0:dhcp:10.1.1.2:10.1.1.3", "eth0:dhcp:10.1.1.2:10.1.1.3"},
	{"NetworkManager", "eth0:dhcp:[2001:db8::53]", "eth0:dhcp:[2001:db8::53]:"},
	{"NetworkManager", "eth0:dhcp,dhcp6", "eth0:dhcp,dhcp6"},
	{"NetworkManager", "eth0:ibft", "eth0:ibft"},
	{"NetworkManager", "eth0:off", "eth0:off"},
	{"NetworkManager", "52-54-00-12-34-56:dhcp", "52-54-00-12-34-56:dhcp"},
	{"NetworkManager", "[52:54:00:12:34:56]:dhcp", "52-54-00-12-34-56:dhcp"},
	{"NetworkManager", ":::::52-54-00-12-34-56:dhcp", "52-54-00-12-34-56:dhcp"},
	{"NetworkManager", "10.1.1.5/24", "10.1.1.5/24::::::static"},
	{"NetworkManager", "10.1.1.5/24::10.1.1.1:::eth0", "10.1.1.5/24::10.1.1.1:::eth0:static"},
	{"NetworkManager", "[2001:db8::5/64]::[2001:db8::1]:::eth0:none", "[2001:db8::5/64]::[2001:db8::1]:::eth0:static"},
	{"NetworkManager", "[2001:db8::5]:::::eth0:none", "[2001:db8::5/64]:::::eth0:static"},
	{"NetworkManager", ":::::eth0:auto:1400", "eth0:dhcp:1400"},

	// systemd-network-generator.service(8)
	{"systemd", "link-local", "link-local"},
	{"systemd", "eth0:link-local", "eth0:link-local"},
	{"systemd", "eth0:link6:1400", "eth0:link-local:1400"},
	{"systemd", "10.1.1.5:::24::eth0:ibft", "10.1.1.5/24:::::eth0:ibft"},
	{"systemd", "10.1.1.5::10.1.1.1:24:host1:eth0:off:10.1.1.2:[2001:db8::53]", "10.1.1.5/24::10.1.1.1::host1:eth0:static:10.1.1.2:[2001:db8::53]"},
	{"systemd", "[2001:db8::5]::::host1:eth0:none", "[2001:db8::5/64]::::host1:eth0:static"},

	// make-initrd of ALT Linux
	{"make-initrd", "eth0:dhcp4", "eth0:dhcp"},
}

// Each form is read as its manual has it, and read again as it is shown.
func TestFormsOfIP(t *testing.T) {
	for _, tt := range ipForms {
		ip, cause := bootspec.ParseIP(tt.text)
		if text, refused := strings.CutPrefix(tt.want, "!"); refused {
			if !strings.Contains(cause, text) {
				t.Errorf("%s: ip=%s: cause %q, want %q", tt.manual, tt.text, cause, text)
			}
			continue
		}
		if cause != "" || ip.String() != tt.want {
			t.Errorf("%s: ip=%s: %s %s, want %s", tt.manual, tt.text, ip, cause, tt.want)
			continue
		}
		if again, cause := bootspec.ParseIP(tt.want); cause != "" || again.String() != tt.want {
			t.Errorf("%s: ip=%s: is shown as %s and read again as %s %s", tt.manual, tt.text, tt.want, again, cause)
		}
	}
}

package netboot

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// dnsmasq returns a piece of dnsmasq's configuration. A machine whose card has iPXE in its ROM gets
// no root path with a boot file: iPXE would hook the disk at once, and PXELINUX stand still behind
// it.
func (r *Room) dnsmasq(dir string) string {
	var b strings.Builder
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	l := r.BootLoader()
	// The architectures are IANA's Processor Architecture Types: 7 and 9 are EFI of x86-64, 11
	// is that of arm64; a machine with BIOS is 0.
	fmt.Fprintf(&b, `%senable-tftp
tftp-root=%s
tftp-no-fail
# iPXE sends option 175.
dhcp-match=set:ipxe,175
dhcp-match=set:efi,option:client-arch,7
dhcp-match=set:efi,option:client-arch,9
dhcp-match=set:arm,option:client-arch,11
dhcp-boot=tag:!efi,tag:!arm,%s
dhcp-boot=tag:efi,tag:!arm,%s
dhcp-boot=tag:arm,%s
`, written, dnsmasqWord(filepath.Join(abs, tree)), l.bios, l.efi, l.arm)
	if script := l.script; script != "" {
		if r.HTTP != "" {
			script = r.HTTP + "/" + script // the machine's own script is looked for where this one came from
		}
		fmt.Fprintf(&b, "# iPXE itself gets its script; the files above are iPXE.\ndhcp-boot=tag:ipxe,%s\n", dnsmasqWord(script))
	}
	for _, n := range r.networks() {
		fmt.Fprintf(&b, "dhcp-range=%s\n", n)
	}
	for _, h := range r.Hosts {
		address := h.Address.Addr().String()
		if h.Address.Addr().Is6() {
			address = "[" + address + "]"
		}
		// dnsmasq refuses names with upper case letters that IDNA forbids, such as Ab--c.
		fmt.Fprintf(&b, "dhcp-host=%s,set:%s,%s,%s\n", h.MAC, h.tag(), address, strings.ToLower(h.Name))
		if h.Gateway.Is4() {
			fmt.Fprintf(&b, "dhcp-option=tag:%s,option:router,%s\n", h.tag(), h.Gateway)
		}
		if why := h.rootPathLacks(); why != "" {
			fmt.Fprintf(&b, "# no root path: %s\n", why)
			continue
		}
		// Not for iPXE: see above. What is on the command line counts before it in any
		// case.
		fmt.Fprintf(&b, "dhcp-option=tag:%s,tag:!ipxe,option:root-path,\"%s\"\n", h.tag(), h.rootPath())
	}
	return b.String()
}

// maxOption bounds the value of a DHCP option in bytes (RFC 2132 2).
const maxOption = 255

// rootPathLacks tells why DHCP sends no root path to the machine; empty if it does.
func (h Host) rootPathLacks() string {
	if n := len(h.rootPath()); n > maxOption {
		return fmt.Sprintf("it would have %d bytes, and an option of DHCP has %d at most", n, maxOption)
	}
	return ""
}

// tag returns the tag by which dnsmasq knows the machine. It is longer than the name of a NIC,
// since dnsmasq sets that as a tag for each machine that asks there, and none of dnsmasq's own.
func (h Host) tag() string { return "host-" + h.dashes() }

// dnsmasqWord returns a text as one word of a line, in quotes if it has to be: inside of them a
// comma separates nothing and a # begins no comment (option.c: read_file).
func dnsmasqWord(s string) string {
	if !strings.ContainsAny(s, " ,#\"\\\t") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// networks returns the networks of the machines as dhcp-range wants them, each once.
func (r *Room) networks() []string {
	var out []string
	for _, h := range r.Hosts {
		p := h.Address.Masked()
		text := fmt.Sprintf("%s,static,%d", p.Addr(), p.Bits())
		if p.Addr().Is4() {
			text = fmt.Sprintf("%s,static,%s", p.Addr(), mask(p))
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// mask returns the netmask of an IPv4 network.
func mask(p netip.Prefix) string {
	m := ^uint32(0) << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

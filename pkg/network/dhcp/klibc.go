package dhcp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// NetConf writes the lease as klibc's ipconfig writes /run/net-<dev>.conf, which scripts of
// initramfs-tools and cloud-init read (usr/kinit/ipconfig/main.c: dump_device_config). uptime is
// the time since boot. It is for IPv4.
func (l Lease) NetConf(uptime time.Duration) string {
	c := &conf{}
	proto := "none" // ipconfig's word for static
	if l.Method == DHCP4 {
		proto = "dhcp"
	}
	c.put("DEVICE", l.Interface)
	c.put("PROTO", proto)
	c.put("IPV4ADDR", dotted(l.Address.Addr()))
	c.put("IPV4BROADCAST", dotted(broadcast(l.Address)))
	c.put("IPV4NETMASK", dotted(mask(l.Address)))
	c.put("IPV4GATEWAY", dotted(l.Gateway()))
	c.routes(l.Routes)
	for i := range 2 {
		c.put(fmt.Sprintf("IPV4DNS%d", i), dotted(nth(l.DNS, i)))
	}
	c.put("HOSTNAME", l.HostName)
	c.put("DNSDOMAIN", l.Domain)
	c.put("NISDOMAIN", "")
	c.put("ROOTSERVER", dotted(l.BootServer))
	c.put("ROOTPATH", l.ShownRootPath())
	c.put("filename", l.BootFile)
	c.put("UPTIME", strconv.Itoa(int(uptime/time.Second)))
	c.put("DHCPLEASETIME", seconds(l.Lifetime))
	c.put("DOMAINSEARCH", strings.Join(l.Search, " "))
	return c.String()
}

// Net6Conf writes the lease as Ubuntu's initramfs-tools writes /run/net6-<dev>.conf, which
// cloud-init reads. It is for IPv6.
func (l Lease) Net6Conf() string {
	c := &conf{}
	proto := "none"
	if l.Method == DHCP6 || l.Method == DHCP6Info {
		proto = "dhcp6"
	}
	c.put("DEVICE6", l.Interface)
	c.put("IPV6PROTO", proto)
	if l.Address.IsValid() {
		c.put("IPV6ADDR", l.Address.Addr().String())
		c.put("IPV6NETMASK", strconv.Itoa(l.Address.Bits()))
	}
	if g := l.Gateway(); g.IsValid() {
		c.put("IPV6GATEWAY", g.String())
	}
	for i, a := range l.DNS[:min(2, len(l.DNS))] {
		c.put(fmt.Sprintf("IPV6DNS%d", i), a.String())
	}
	c.put("IPV6DOMAINSEARCH", strings.Join(l.Search, " "))
	c.put("HOSTNAME", l.HostName)
	c.put("DNSDOMAIN", l.Domain)
	return c.String()
}

// conf writes lines that a shell reads.
type conf struct{ strings.Builder }

// put writes one line. Shells run these files as root, so a value with a byte that is not printable
// is left out. A quote is closed around ' and !.
func (c *conf) put(key, value string) {
	value, err := Text([]byte(value), MaxRootPath)
	if err != nil {
		value = ""
	}
	value = strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(value)
	fmt.Fprintf(c, "%s='%s'\n", key, value)
}

// routes writes those beside the default route.
func (c *conf) routes(routes []Route) {
	n := 0
	for _, r := range routes {
		if r.To.Bits() == 0 {
			continue
		}
		c.put(fmt.Sprintf("IPV4ROUTE%dSUBNET", n), r.To.String())
		c.put(fmt.Sprintf("IPV4ROUTE%dGATEWAY", n), dotted(r.Via))
		n++
	}
}

// dotted writes an IPv4 address; 0.0.0.0 is ipconfig's word for none.
func dotted(a netip.Addr) string {
	if !a.Is4() {
		return "0.0.0.0"
	}
	return a.String()
}

func nth(list []netip.Addr, i int) netip.Addr {
	if i < len(list) {
		return list[i]
	}
	return netip.Addr{}
}

// mask returns the netmask of an IPv4 prefix.
func mask(p netip.Prefix) netip.Addr {
	if !p.IsValid() || !p.Addr().Is4() {
		return netip.Addr{}
	}
	m := uint32(0xffffffff) << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)})
}

// broadcast returns the broadcast address of an IPv4 prefix.
func broadcast(p netip.Prefix) netip.Addr {
	m := mask(p)
	if !m.IsValid() {
		return m
	}
	a, b := p.Addr().As4(), m.As4()
	for i := range a {
		a[i] |= ^b[i]
	}
	return netip.AddrFrom4(a)
}

func seconds(d time.Duration) string {
	switch d {
	case 0:
		return ""
	case Infinite:
		return "4294967295"
	}
	return strconv.FormatInt(int64(d/time.Second), 10)
}

package dhcp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// minLifetime is the shortest lease that is accepted: a shorter one would expire before root is
// mounted.
const minLifetime = 10 * time.Second

// lease makes a lease of an offer or an acknowledgement. The error is why it cannot be used;
// optional values that are invalid are left out and listed in Ignored.
func (r reply) lease(x *exchange) (dhcp.Lease, error) {
	l := dhcp.Lease{Interface: x.cfg.Interface, Method: dhcp.DHCP4, Server: r.server, ClientID: r.clientID}
	if !l.Server.IsValid() {
		return l, errors.New("it has no server identifier")
	}
	d := &decoder{opts: r.Options, l: &l}
	addr, _ := netip.AddrFromSlice(r.YourIPAddr.To4())
	if !dhcp.Usable(addr) {
		return l, fmt.Errorf("its address %s is not a host address", addr)
	}
	length, err := d.mask(addr)
	if err != nil {
		return l, err
	}
	l.Address = netip.PrefixFrom(addr, length)
	if l.Address.Bits() < 31 && addr == l.Address.Masked().Addr() {
		return l, fmt.Errorf("its address %s is that of the network", l.Address)
	}
	if err := d.times(); err != nil {
		return l, err
	}
	d.network()
	d.names()
	if a, ok := netip.AddrFromSlice(r.ServerIPAddr.To4()); ok && dhcp.Usable(a) {
		l.BootServer = a
	}
	if l.BootFile, err = dhcp.Text([]byte(r.BootFileName), len(r.BootFileName)); err != nil {
		d.ignore("boot file", err)
	}
	return l, nil
}

// decoder reads options into a lease.
type decoder struct {
	opts map[uint8][]byte
	l    *dhcp.Lease
}

func (d *decoder) ignore(what string, why error) {
	d.l.Ignored = append(d.l.Ignored, fmt.Sprintf("%s: %v", what, why))
}

// mask reads option 1; without it the address's class applies, as in the kernel's own client
// (net/ipv4/ipconfig.c: ic_setup_if).
func (d *decoder) mask(addr netip.Addr) (int, error) {
	b, given := d.opts[optMask]
	if !given {
		switch first := addr.As4()[0]; {
		case first < 128:
			return 8, nil
		case first < 192:
			return 16, nil
		}
		return 24, nil
	}
	if len(b) != 4 {
		return 0, fmt.Errorf("its subnet mask has %d bytes", len(b))
	}
	m := binary.BigEndian.Uint32(b)
	if n := bits.LeadingZeros32(^m); m != 0 && m<<n == 0 {
		return n, nil
	}
	return 0, fmt.Errorf("its subnet mask %s is not a netmask", netip.AddrFrom4([4]byte(b)))
}

// times reads options 51, 58 and 59. A server must send the first.
func (d *decoder) times() error {
	var t [3]time.Duration
	for i, code := range []uint8{optLifetime, optRenew, optRebind} {
		if b := d.opts[code]; len(b) == 4 {
			t[i] = dhcp.Seconds(binary.BigEndian.Uint32(b))
		}
	}
	if t[0] < minLifetime {
		return fmt.Errorf("it is for %s, less than %s", t[0], minLifetime)
	}
	d.l.SetTimes(t[0], t[1], t[2])
	return nil
}

// network reads the interface's configuration other than its address.
func (d *decoder) network() {
	if b, given := d.opts[optRoutes]; given { // then option 3 is ignored (RFC 3442)
		var err error
		if d.l.Routes, err = routes(b); err != nil {
			d.ignore("classless routes", err)
		}
	}
	if _, given := d.opts[optRoutes]; !given || d.l.Routes == nil {
		if a := d.addrs("router", optRouter); len(a) > 0 {
			d.l.Routes = []dhcp.Route{{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: a[0]}}
		}
	}
	d.l.DNS = d.addrs("DNS server", optDNS)
	d.l.NTP = d.addrs("NTP server", optNTP)
	if b, given := d.opts[optMTU]; given {
		if len(b) == 2 && dhcp.ValidMTU(int(binary.BigEndian.Uint16(b))) {
			d.l.MTU = int(binary.BigEndian.Uint16(b))
		} else {
			d.ignore("MTU", fmt.Errorf("bytes %x, want two that make 68 or more", b[:min(4, len(b))]))
		}
	}
}

// addrs reads a list of addresses that hosts can have.
func (d *decoder) addrs(what string, code uint8) []netip.Addr {
	b := d.opts[code]
	var out []netip.Addr
	if len(b)%4 != 0 {
		d.ignore(what, fmt.Errorf("%d bytes, want addresses of 4", len(b)))
	}
	for _, a := range addrs(b) {
		switch {
		case !dhcp.Usable(a):
			d.ignore(what, fmt.Errorf("%s is not a host address", a))
		case len(out) < dhcp.MaxList:
			out = append(out, a)
		}
	}
	return out
}

// names reads the options that are texts.
func (d *decoder) names() {
	for _, n := range []struct {
		what string
		code uint8
		to   *string
	}{{"host name", optHostName, &d.l.HostName}, {"domain", optDomain, &d.l.Domain}} {
		if b, given := d.opts[n.code]; given {
			var err error
			if *n.to, err = dhcp.Name(b); err != nil {
				d.ignore(n.what, err)
			}
		}
	}
	if b, given := d.opts[optSearch]; given {
		var err error
		if d.l.Search, err = dhcp.Names(b); err != nil {
			d.ignore("search list", err)
		}
	}
	if b, given := d.opts[optInitiator]; given {
		var err error
		if d.l.Initiator, err = dhcp.Text(b, 223); err != nil { // RFC 7143 section 4.2.7.1
			d.ignore("initiator name", err)
		}
	}
	d.rootPath()
}

// rootPath keeps the root path unchanged, also with bytes that are not text: its parser reports
// which byte is wrong.
func (d *decoder) rootPath() {
	b := d.opts[optRootPath]
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if len(b) > dhcp.MaxRootPath {
		d.ignore("root path", fmt.Errorf("%d bytes, limit %d", len(b), dhcp.MaxRootPath))
		return
	}
	d.l.RootPath = string(b)
}

// routes reads option 121 (RFC 3442): a length in bits, the bytes of the network that it covers,
// and the next hop, 0.0.0.0 for what is on the link.
func routes(b []byte) ([]dhcp.Route, error) {
	var out []dhcp.Route
	for len(b) > 0 {
		n := int(b[0])
		size := (n + 7) / 8
		if n > 32 || len(b) < 1+size+4 {
			return nil, fmt.Errorf("a network of %d bits in %d bytes", n, len(b)-1)
		}
		if len(out) == dhcp.MaxList {
			return nil, fmt.Errorf("more than %d", dhcp.MaxList)
		}
		var to [4]byte
		copy(to[:], b[1:1+size])
		r := dhcp.Route{To: netip.PrefixFrom(netip.AddrFrom4(to), n).Masked()}
		if via := netip.AddrFrom4([4]byte(b[1+size:])); !via.IsUnspecified() {
			r.Via = via
			if !dhcp.Usable(via) {
				return nil, fmt.Errorf("%s is not a host address", via)
			}
		}
		out = append(out, r)
		b = b[1+size+4:]
	}
	return out, nil
}

package dhcp

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// Infinite is a lifetime that does not end: 0xffffffff seconds on the wire.
const Infinite time.Duration = math.MaxInt64

// Method is the source of an interface's configuration.
type Method string

// The methods.
const (
	Static    Method = "static"
	DHCP4     Method = "dhcp"
	DHCP6     Method = "dhcp6"      // stateful: an address from the server
	DHCP6Info Method = "dhcp6-info" // stateless: the address is made of a router advertisement
	Auto6     Method = "auto6"      // the same, without a server
	LinkLocal Method = "link-local" // no address except that of the link
)

// Lease is what a server granted, or what was configured without one. The zero value of a field
// means that no source gave it. It contains no secret except in the root path, which is redacted in
// texts.
type Lease struct {
	Interface string
	Method    Method
	Address   netip.Prefix // DHCP6Info is not a grant of the server
	Server    netip.Addr   // that granted it
	ServerID  []byte       // its DUID, DHCPv6
	ClientID  []byte       // option 61, or the client's DUID
	IAID      uint32       // DHCPv6, 4 bytes of the interface's MAC

	// Obtained is when the request for it was sent, as time since boot (CLOCK_BOOTTIME), which
	// no clock set later changes.
	Obtained time.Duration
	// Lifetime, and when to renew (T1) and to rebind (T2), all from Obtained.
	Lifetime, Renew, Rebind time.Duration
	// Preferred is for how long new connections may use the address; DHCPv6.
	Preferred time.Duration

	Routes   []Route // the default route among them
	DNS, NTP []netip.Addr
	Domain   string
	Search   []string
	HostName string
	MTU      int // 0 or 68 to 65535

	RootPath  string // as it was sent but for NULs at its end; any bytes, at most 1024
	Initiator string // option 203, iPXE's iSCSI initiator name

	BootServer netip.Addr // siaddr
	BootFile   string

	// Ignored lists, in words, what the server sent and is not usable.
	Ignored []string
}

// Route is a route other than that of the address's own network.
type Route struct {
	To  netip.Prefix
	Via netip.Addr // not valid: on the link
}

// String writes the route as ip(8) does.
func (r Route) String() string {
	to := r.To.String()
	if r.To.Bits() == 0 {
		to = "default"
	}
	if !r.Via.IsValid() {
		return to
	}
	return to + " via " + r.Via.String()
}

// Gateway returns the next hop of the default route; not valid if there is none.
func (l Lease) Gateway() netip.Addr {
	for _, r := range l.Routes {
		if r.To.Bits() == 0 {
			return r.Via
		}
	}
	return netip.Addr{}
}

// V6 reports whether the lease is of IPv6.
func (l Lease) V6() bool {
	return l.Method == DHCP6 || l.Method == DHCP6Info || l.Address.Addr().Is6()
}

// String describes the lease in one line.
func (l Lease) String() string {
	var b strings.Builder
	what := "no address"
	if l.Address.IsValid() {
		what = l.Address.String()
	}
	fmt.Fprintf(&b, "%s on %s", what, cmp.Or(l.Interface, "no interface"))
	if l.Server.IsValid() {
		fmt.Fprintf(&b, " from %s", l.Server)
	}
	switch {
	case l.Lifetime == Infinite:
		b.WriteString(" without limit")
	case l.Lifetime > 0:
		fmt.Fprintf(&b, " for %s", l.Lifetime)
	}
	for _, r := range l.Routes {
		fmt.Fprintf(&b, ", route %s", r)
	}
	if l.RootPath != "" {
		fmt.Fprintf(&b, ", root path %s", words.Plain(l.ShownRootPath()))
	}
	return b.String()
}

// ShownRootPath returns the root path for messages: without the part before an @, where dracut's
// form has user and password.
func (l Lease) ShownRootPath() string { return iscsi.Redact(l.RootPath) }

// SetTimes checks and completes the times of a lease. Times that are missing or out of order become
// a half and seven eighths of the lifetime (RFC 2131 section 4.4.5).
func (l *Lease) SetTimes(lifetime, renew, rebind time.Duration) {
	l.Lifetime, l.Renew, l.Rebind = lifetime, renew, rebind
	if lifetime == Infinite {
		l.Renew, l.Rebind = Infinite, Infinite
		return
	}
	if rebind <= 0 || rebind > lifetime {
		l.Rebind = lifetime / 8 * 7
	}
	if renew <= 0 || renew > l.Rebind {
		l.Renew = min(lifetime/2, l.Rebind)
	}
}

// Seconds makes a lifetime of its number on the wire.
func Seconds(n uint32) time.Duration {
	if n == math.MaxUint32 {
		return Infinite
	}
	return time.Duration(n) * time.Second
}

// MTU limits (RFC 2132 section 5.1; IEEE 802.3's frames cannot have more).
const (
	minMTU = 68
	maxMTU = 65535
)

// ValidMTU reports whether an interface could have this MTU.
func ValidMTU(n int) bool { return n >= minMTU && n <= maxMTU }

// Backoff returns how long to wait for an answer to the n-th request, counted from 0: 1, 2, 4, 8
// and then always 16 seconds, plus or minus a fifth by random, a number from 0 to 1, so that
// machines that start at the same time do not send requests at the same time (RFC 2131 section
// 4.1).
func Backoff(n int, random float64) time.Duration {
	base := time.Second << min(n, 4)
	return base*4/5 + time.Duration(random*float64(base)*2/5)
}

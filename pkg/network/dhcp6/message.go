package dhcp6

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Messages (RFC 8415 section 7.3).
const (
	msgSolicit   = 1
	msgAdvertise = 2
	msgRequest   = 3
	msgReply     = 7
	msgInform    = 11
)

// Options (RFC 8415 section 21 and others).
const (
	optClientID   = 1
	optServerID   = 2
	optIANA       = 3
	optIAAddr     = 5
	optRequests   = 6
	optPreference = 7
	optElapsed    = 8
	optStatus     = 13
	optDNS        = 23 // RFC 3646
	optSearch     = 24 // RFC 3646
	optSNTP       = 31 // RFC 4075
	optNTP        = 56 // RFC 5908
	optBootURL    = 59 // RFC 5970

	subNTPServer = 1 // RFC 5908 section 4.1
)

// statusSuccess is the only status code that is not an error (RFC 8415 section 21.13).
const statusSuccess = 0

func requested() []uint16 { return []uint16{optDNS, optSearch, optSNTP, optNTP, optBootURL} }

// maxDUID is the longest DUID in bytes (RFC 8415 section 11.1).
const maxDUID = 130

// appendOption writes one option.
func appendOption(b []byte, code uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// options reads options; each code's values in their order.
func options(b []byte) (map[uint16][][]byte, error) {
	out := map[uint16][][]byte{}
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, errors.New("an option that is cut off")
		}
		code, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+n {
			return nil, fmt.Errorf("option %d of %d bytes, there are %d", code, n, len(b)-4)
		}
		out[code] = append(out[code], b[4:4+n])
		b = b[4+n:]
	}
	return out, nil
}

// reply is a server's message to this client.
type reply struct {
	typ      byte
	opts     map[uint16][][]byte
	serverID []byte
}

// parse reads a message; errOtherClient: it is for another client.
func (c *client) parse(b []byte) (reply, error) {
	if len(b) < 4 || b[0] != msgAdvertise && b[0] != msgReply || [3]byte(b[1:4]) != c.xid {
		return reply{}, errOtherClient
	}
	r := reply{typ: b[0]}
	var err error
	if r.opts, err = options(b[4:]); err != nil {
		return reply{}, fmt.Errorf("a broken message: %w", err)
	}
	if id := r.opts[optClientID]; len(id) != 1 || string(id[0]) != string(c.cfg.DUID) {
		return reply{}, errOtherClient
	}
	id := r.opts[optServerID]
	if len(id) != 1 || len(id[0]) == 0 || len(id[0]) > maxDUID {
		return reply{}, errors.New("an answer without a server identifier")
	}
	r.serverID = id[0]
	return r, nil
}

// lease returns the lease of an answer. stateful requires an address.
func (r reply) lease(c *client, server netip.Addr, stateful bool) (dhcp.Lease, error) {
	l := dhcp.Lease{
		Interface: c.cfg.Interface, Method: dhcp.DHCP6Info, Server: server,
		ServerID: slices.Clone(r.serverID), ClientID: c.cfg.DUID,
	}
	if err := status(r.opts); err != nil {
		return l, err
	}
	if stateful {
		l.Method, l.IAID = dhcp.DHCP6, c.cfg.IAID
		if err := r.address(&l); err != nil {
			return l, err
		}
	}
	r.others(&l)
	return l, nil
}

// StatusError is a server's refusal (RFC 8415 section 21.13).
type StatusError struct {
	Code uint16
	Text string // printable, at most 200 bytes
}

// Error implements error.
func (e *StatusError) Error() string {
	names := [...]string{"success", "unspecified failure", "no address available", "no binding", "not on link", "use multicast"}
	name := fmt.Sprintf("status %d", e.Code)
	if int(e.Code) < len(names) {
		name = names[e.Code]
	}
	if e.Text == "" {
		return "the server reports: " + name
	}
	return fmt.Sprintf("the server reports: %s, %q", name, e.Text)
}

// status returns the refusal in options, if there is one.
func status(opts map[uint16][][]byte) error {
	for _, b := range opts[optStatus] {
		if len(b) < 2 {
			return errors.New("a status that is cut off")
		}
		if code := binary.BigEndian.Uint16(b); code != statusSuccess {
			text, _ := dhcp.Text(b[2:], 200)
			return &StatusError{code, text}
		}
	}
	return nil
}

// address reads the first usable address of the identity association.
func (r reply) address(l *dhcp.Lease) error {
	refused := errors.New("no address")
	for _, ia := range r.opts[optIANA] {
		if len(ia) < 12 || binary.BigEndian.Uint32(ia) != l.IAID {
			continue
		}
		opts, err := options(ia[12:])
		if err == nil {
			err = status(opts)
		}
		if err != nil {
			refused = err
			continue
		}
		for _, a := range opts[optIAAddr] {
			if len(a) < 24 {
				continue
			}
			addr := netip.AddrFrom16([16]byte(a))
			valid := dhcp.Seconds(binary.BigEndian.Uint32(a[20:]))
			if !dhcp.Usable(addr) || addr.Is4In6() || addr.IsLinkLocalUnicast() || valid < minLifetime {
				refused = fmt.Errorf("the address %s for %s cannot be used", addr, valid)
				continue
			}
			l.Address = netip.PrefixFrom(addr, addr.BitLen())
			l.SetTimes(valid, dhcp.Seconds(binary.BigEndian.Uint32(ia[4:])), dhcp.Seconds(binary.BigEndian.Uint32(ia[8:])))
			l.Preferred = min(dhcp.Seconds(binary.BigEndian.Uint32(a[16:])), valid)
			return nil
		}
	}
	return refused
}

// minLifetime is the shortest lease that is accepted.
const minLifetime = 10 * time.Second

// others reads the configuration other than the address.
func (r reply) others(l *dhcp.Lease) {
	ignore := func(what string, err error) { l.Ignored = append(l.Ignored, fmt.Sprintf("%s: %v", what, err)) }
	var err error
	for _, b := range r.opts[optDNS] {
		if l.DNS, err = appendAddrs(l.DNS, b); err != nil {
			ignore("DNS server", err)
		}
	}
	for _, b := range r.opts[optSNTP] {
		if l.NTP, err = appendAddrs(l.NTP, b); err != nil {
			ignore("NTP server", err)
		}
	}
	for _, b := range r.opts[optNTP] {
		subs, err := options(b)
		for _, s := range subs[subNTPServer] {
			if l.NTP, err = appendAddrs(l.NTP, s); err != nil {
				break
			}
		}
		if err != nil {
			ignore("NTP server", err)
		}
	}
	for _, b := range r.opts[optSearch] {
		if l.Search, err = dhcp.Names(b); err != nil {
			ignore("search list", err)
		}
	}
	for _, b := range r.opts[optBootURL] {
		url, err := dhcp.Text(b, dhcp.MaxRootPath)
		switch {
		case err != nil:
			ignore("boot file URL", err)
		case strings.HasPrefix(strings.ToLower(url), "iscsi:"): // as iPXE accepts it
			l.RootPath = url
		default:
			l.BootFile = url
		}
	}
}

// appendAddrs reads a list of addresses, as long as it may be.
func appendAddrs(list []netip.Addr, b []byte) ([]netip.Addr, error) {
	if len(b)%16 != 0 {
		return list, fmt.Errorf("%d bytes, want addresses of 16", len(b))
	}
	for ; len(b) > 0; b = b[16:] {
		a := netip.AddrFrom16([16]byte(b))
		if !dhcp.Usable(a) {
			return list, fmt.Errorf("%s is not a host address", a)
		}
		if len(list) < dhcp.MaxList {
			list = append(list, a)
		}
	}
	return list, nil
}

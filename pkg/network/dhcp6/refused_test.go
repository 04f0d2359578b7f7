package dhcp6

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// association is an IA_NA (RFC 8415 section 21.4) with options.
func association(iaid, t1, t2 uint32, opts ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, iaid)
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, t1), t2)
	return appendOption(nil, optIANA, append(b, bytes.Join(opts, nil)...))
}

// iaAddress is an IA Address option (RFC 8415 section 21.6).
func iaAddress(addr string, preferred, valid uint32) []byte {
	b := binary.BigEndian.AppendUint32(netip.MustParseAddr(addr).AsSlice(), preferred)
	return appendOption(nil, optIAAddr, binary.BigEndian.AppendUint32(b, valid))
}

// An association that the server refuses, that is another client's or that cannot be read gives no
// address, and does not keep the next one from giving its own. Without any the reason is the last
// refusal.
func TestRefusedAssociations(t *testing.T) {
	const own, other = 7, 8
	good := iaAddress("2001:db8::5", 300, 600)
	none := option(optStatus, "\x00\x02none left") // NoAddrsAvail
	for _, tt := range []struct {
		name    string
		ias     [][]byte
		want    string // the address
		refusal string
	}{
		{"granted", [][]byte{association(own, 0, 0, good)}, "2001:db8::5/128", ""},
		{"granted with a status", [][]byte{association(own, 0, 0, option(optStatus, "\x00\x00fine"), good)}, "2001:db8::5/128", ""},
		{"refused", [][]byte{association(own, 0, 0, none)}, "", `no address available, "none left"`},
		{"refused, with an address", [][]byte{association(own, 0, 0, none, good)}, "", `no address available, "none left"`},
		{"refused, and another granted", [][]byte{association(own, 0, 0, none), association(own, 0, 0, good)}, "2001:db8::5/128", ""},
		{"not on this link", [][]byte{association(own, 0, 0, option(optStatus, "\x00\x04"), good)}, "", "not on link"},
		{"another client's", [][]byte{association(other, 0, 0, good)}, "", "no address"},
		{"another client's before", [][]byte{association(other, 0, 0, iaAddress("2001:db8::9", 300, 600)), association(own, 0, 0, good)}, "2001:db8::5/128", ""},
		{"cut off", [][]byte{option(optIANA, "\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00")}, "", "no address"},
		{"options cut off", [][]byte{association(own, 0, 0, good, []byte{0}), association(own, 0, 0, iaAddress("2001:db8::6", 300, 600))}, "2001:db8::6/128", ""},
		{"an address that is cut off", [][]byte{association(own, 0, 0, option(optIAAddr, strings.Repeat("\x20", 23)), good)}, "2001:db8::5/128", ""},
		{"an address without time", [][]byte{association(own, 0, 0, iaAddress("2001:db8::9", 0, 9), good)}, "2001:db8::5/128", ""},
		{"the shortest time", [][]byte{association(own, 0, 0, iaAddress("2001:db8::9", 0, 10), good)}, "2001:db8::9/128", ""},
		{"no time at all", [][]byte{association(own, 0, 0, iaAddress("2001:db8::9", 0, 9))}, "", "the address 2001:db8::9 for 9s cannot be used"},
		{"IPv4 in IPv6", [][]byte{association(own, 0, 0, iaAddress("::ffff:10.1.1.5", 300, 600))}, "", "cannot be used"},
	} {
		c := testClient()
		r, err := c.parse(answer(c, msgReply, tt.ias...))
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.lease(c, server, true)
		if tt.want != "" && (err != nil || l.Address.String() != tt.want) || tt.want == "" && (err == nil || !strings.Contains(err.Error(), tt.refusal)) {
			t.Errorf("%s: %v, error %v, want %s %s", tt.name, l.Address, err, tt.want, tt.refusal)
		}
	}
}

// The times of a lease are those of its own association, and the preferred one is no longer than
// the valid one.
func TestTimesOfAssociation(t *testing.T) {
	for _, tt := range []struct{ preferred, valid, want time.Duration }{
		{300, 600, 300}, {600, 600, 600}, {900, 600, 600}, {0, 600, 0},
	} {
		c := testClient()
		r, err := c.parse(answer(c, msgReply, association(7, 100, 200, iaAddress("2001:db8::5", uint32(tt.preferred), uint32(tt.valid)))))
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.lease(c, server, true)
		if err != nil || l.Preferred != tt.want*time.Second || l.Lifetime != tt.valid*time.Second || l.Renew != 100*time.Second || l.Rebind != 200*time.Second {
			t.Errorf("%+v: %+v, error %v", tt, l, err)
		}
	}
}

// An offer whose addresses the server refuses to grant is given up for the next one.
func TestRefusedRequest(t *testing.T) {
	play(t, Config{Report: func(string) {}}, 0, func(s *script, c *client) [][]byte {
		switch len(s.sent) {
		case 1, 6:
			return [][]byte{answer(c, msgAdvertise, association(c.cfg.IAID, 0, 0, iaAddress("2001:db8::5", 300, 600)))}
		case 7:
			return [][]byte{answer(c, msgReply, association(c.cfg.IAID, 0, 0, iaAddress("2001:db8::6", 300, 600)))}
		}
		return [][]byte{answer(c, msgReply, association(c.cfg.IAID, 0, 0, option(optStatus, "\x00\x02")))}
	}, func(l dhcp.Lease, err error, s *script, _ time.Duration) {
		if err != nil || string(s.sent) != "\x01\x03\x03\x03\x03\x01\x03" || l.Address.String() != "2001:db8::6/128" {
			t.Errorf("%v %v, sent %v", l, err, s.sent)
		}
	})
}

// The text of a refusal names what RFC 8415 section 21.13 has, and other codes by their number.
func TestStatusError(t *testing.T) {
	for code, want := range map[uint16]string{
		1: "the server reports: unspecified failure", 3: "the server reports: no binding",
		4: "the server reports: not on link", 5: "the server reports: use multicast", 6: "the server reports: status 6",
	} {
		var e *StatusError
		if err := status(map[uint16][][]byte{optStatus: {binary.BigEndian.AppendUint16(nil, code)}}); !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%d: %v, want %s", code, err, want)
		}
	}
	if err := (&StatusError{2, "full"}).Error(); err != `the server reports: no address available, "full"` {
		t.Error(err)
	}
}

// A list of addresses ends at dhcp.MaxList, without an error.
func TestLongListOfServers(t *testing.T) {
	one := netip.MustParseAddr("2001:db8::53").AsSlice()
	for _, n := range []int{dhcp.MaxList - 1, dhcp.MaxList, dhcp.MaxList + 1} {
		list, err := appendAddrs(nil, bytes.Repeat(one, n))
		if err != nil || len(list) != min(n, dhcp.MaxList) {
			t.Errorf("%d servers: %d, %v", n, len(list), err)
		}
	}
}

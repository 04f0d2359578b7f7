package dhcp6

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// recorded returns what dnsmasq 2.90 sent.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// clientOf makes the client that a message is for.
func clientOf(b []byte) *client {
	c := &client{cfg: Config{Interface: "eth0"}}
	if len(b) < 4 {
		return c
	}
	copy(c.xid[:], b[1:])
	opts, _ := options(b[4:])
	if id := opts[optClientID]; len(id) == 1 {
		c.cfg.DUID = id[0]
	}
	if ia := opts[optIANA]; len(ia) > 0 && len(ia[0]) >= 4 {
		c.cfg.IAID = binary.BigEndian.Uint32(ia[0])
	}
	return c
}

var server = netip.MustParseAddr("fe80::1")

func TestRecorded(t *testing.T) {
	b := recorded(t, "dnsmasq-advertise.bin")
	c := clientOf(b)
	r, err := c.parse(b)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.lease(c, server, true)
	if err != nil {
		t.Fatal(err)
	}
	l.ServerID, l.ClientID, l.IAID = nil, nil, 0
	const want = `interface=eth0
method=dhcp6
address=2001:db8:9::50/128
server=fe80::1
lifetime=2m0s
renew=1m0s
rebind=1m45s
preferred=2m0s
dns=2001:db8:9::2
dns=2001:db8:9::3
ntp=2001:db8:9::4
search=example.com
root-path=iscsi:[2001:db8:9::1]::::iqn.2007-01.com.example:storage.disk1
`
	if diff := cmp.Diff(want, runstate.FormatLease(l)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// answer builds a server's message from options.
func answer(c *client, typ byte, opts ...[]byte) []byte {
	b := append([]byte{typ}, c.xid[:]...)
	b = appendOption(b, optClientID, c.cfg.DUID)
	b = appendOption(b, optServerID, []byte{0, 3, 0, 1, 1})
	return append(b, bytes.Join(opts, nil)...)
}

func option(code uint16, value string) []byte { return appendOption(nil, code, []byte(value)) }

// granted is an identity association with an address.
func granted(c *client, addr string, valid uint32) []byte {
	a := append(netip.MustParseAddr(addr).AsSlice(), 0, 0, 0, 9)
	a = binary.BigEndian.AppendUint32(a, valid)
	ia := binary.BigEndian.AppendUint32(nil, c.cfg.IAID)
	return appendOption(nil, optIANA, appendOption(append(ia, make([]byte, 8)...), optIAAddr, a))
}

func testClient() *client {
	return &client{cfg: Config{Interface: "eth0", DUID: []byte{0, 3, 0, 1, 9}, IAID: 7}, xid: [3]byte{1, 2, 3}}
}

func TestBadAnswers(t *testing.T) {
	c := testClient()
	good := granted(c, "2001:db8::5", 600)
	noAddrs := appendOption(nil, optIANA, append([]byte{0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0}, option(optStatus, "\x00\x02full")...))
	tests := []struct {
		name, want string
		b          []byte
	}{
		{"another's transaction", "another client", append([]byte{msgReply, 9, 9, 9}, answer(c, msgReply, good)[4:]...)},
		{"another's identifier", "another client", []byte{msgReply, 1, 2, 3}},
		{"a client's message", "another client", answer(c, msgSolicit, good)},
		{"no server", "without a server identifier", append([]byte{msgReply, 1, 2, 3}, appendOption(nil, optClientID, c.cfg.DUID)...)},
		{"cut off", "a broken message: an option that is cut off", append(answer(c, msgReply), 0, 1, 0)},
		{"too long", "option 23 of 65535 bytes", append(answer(c, msgReply), 0, 23, 255, 255)},
		{"no address", "no address", answer(c, msgReply)},
		{"another association", "no address", answer(c, msgReply, option(optIANA, "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00"))},
		{"full", `the server reports: no address available, "full"`, answer(c, msgReply, noAddrs)},
		{"refusal", "the server reports: status 99", answer(c, msgReply, option(optStatus, "\x00\x63"), good)},
		{"status cut off", "a status that is cut off", answer(c, msgReply, option(optStatus, "\x00"), good)},
		{"multicast", "the address ff02::1 for 10m0s cannot be used", answer(c, msgReply, granted(c, "ff02::1", 600))},
		{"link-local", "cannot be used", answer(c, msgReply, granted(c, "fe80::1", 600))},
		{"over", "for 0s cannot be used", answer(c, msgReply, granted(c, "2001:db8::5", 0))},
	}
	for _, tt := range tests {
		r, err := c.parse(tt.b)
		if err == nil {
			_, err = r.lease(c, server, true)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestIgnored(t *testing.T) {
	c := testClient()
	for want, opt := range map[string][]byte{
		"DNS server: 3 bytes":                          option(optDNS, "abc"),
		"DNS server: :: is not a host address":         option(optDNS, strings.Repeat("\x00", 16)),
		"NTP server: 1 bytes":                          option(optSNTP, "a"),
		"NTP server: an option that is cut off":        option(optNTP, "a"),
		"NTP server: 2 bytes":                          option(optNTP, "\x00\x01\x00\x02ab"),
		"search list: a name without an end":           option(optSearch, "\x01a"),
		"boot file URL: a byte that cannot be printed": option(optBootURL, "iscsi:\n"),
	} {
		r, err := c.parse(answer(c, msgReply, granted(c, "2001:db8::5", 1<<32-1), opt))
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.lease(c, server, true)
		if err != nil || len(l.Ignored) != 1 || !strings.Contains(l.Ignored[0], want) || l.Lifetime != dhcp.Infinite {
			t.Errorf("%q, error %v, want %q", l.Ignored, err, want)
		}
	}
}

// script answers each message by a function, at once or later.
type script struct {
	answer func(c *client) [][]byte
	after  time.Duration
	queue  chan []byte
	closed chan struct{}
	sent   []byte
	fail   error
}

func (s *script) Send(b []byte) error {
	s.sent = append(s.sent, b[0])
	c := clientOf(b)
	if c.cfg.DUID == nil {
		return errors.New("a message without a client identifier")
	}
	for i, a := range s.answer(c) {
		if s.after == 0 { // timers of the same time fire in any order
			s.queue <- a
			continue
		}
		time.AfterFunc(time.Duration(i)*s.after, func() { s.queue <- a })
	}
	return s.fail
}

func (s *script) Receive(deadline time.Time) ([]byte, netip.Addr, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case b := <-s.queue:
		return b, server, nil
	case <-timer.C:
		return nil, netip.Addr{}, os.ErrDeadlineExceeded
	case <-s.closed:
		return nil, netip.Addr{}, fs.ErrClosed
	}
}

func (s *script) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

// play runs Acquire against a script in a time that does not pass by itself.
func play(t *testing.T, cfg Config, after time.Duration, answers func(s *script, c *client) [][]byte, check func(dhcp.Lease, error, *script, time.Duration)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := &script{after: after, queue: make(chan []byte, 64), closed: make(chan struct{})}
		s.answer = func(c *client) [][]byte { return answers(s, c) }
		cfg.Interface, cfg.MAC, cfg.SinceBoot = "eth0", []byte{0x52, 0x54, 0, 1, 2, 3}, func() time.Duration { return time.Hour }
		begun := time.Now()
		l, err := Acquire(ctx, s, cfg)
		check(l, err, s, time.Since(begun))
	})
}

func TestAcquire(t *testing.T) {
	good := func(s *script, c *client) [][]byte {
		typ := map[byte]byte{msgSolicit: msgAdvertise, msgRequest: msgReply}[s.sent[len(s.sent)-1]]
		return [][]byte{
			{1},
			answer(c, typ, granted(c, "2001:db8::5", 600)),
			answer(c, typ, granted(c, "2001:db8::6", 600), option(optBootURL, "ISCSI:x")),
		}
	}
	play(t, Config{}, 0, good, func(l dhcp.Lease, err error, s *script, took time.Duration) {
		if err != nil || l.Address.String() != "2001:db8::5/128" || string(s.sent) != "\x01\x03" || took != 0 {
			t.Errorf("%v %v, sent %v in %s", l, err, s.sent, took)
		}
	})
	// An answer with a root path is waited for, but not for long.
	play(t, Config{WantRootPath: true}, 400*time.Millisecond, good, func(l dhcp.Lease, err error, s *script, took time.Duration) {
		if err != nil || took != 1200*time.Millisecond {
			t.Errorf("%v %v in %s", l, err, took)
		}
	})
	play(t, Config{WantRootPath: true}, 1100*time.Millisecond, func(s *script, c *client) [][]byte { return good(s, c)[1:] }, func(l dhcp.Lease, err error, s *script, took time.Duration) {
		if err != nil || took != RootPathWindow || l.RootPath != "" {
			t.Errorf("%v %v in %s", l, err, took)
		}
	})
	// Silence at first, then an offer that is not kept, then one that is.
	play(t, Config{Report: func(string) {}}, 0, func(s *script, c *client) [][]byte {
		if n := len(s.sent); n < 3 || n > 3 && n < 8 {
			return nil
		}
		return good(s, c)[1:2]
	}, func(l dhcp.Lease, err error, s *script, _ time.Duration) {
		if err != nil || string(s.sent) != "\x01\x01\x01\x03\x03\x03\x03\x01\x03" {
			t.Errorf("%v %v, sent %v", l, err, s.sent)
		}
	})
}

func TestAcquireFails(t *testing.T) {
	play(t, Config{}, 0, func(_ *script, c *client) [][]byte {
		return [][]byte{answer(c, msgAdvertise, option(optStatus, "\x00\x02")), append(answer(c, msgAdvertise), 1)}
	}, func(_ dhcp.Lease, err error, s *script, took time.Duration) {
		var e *dhcp.NoLeaseError
		if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) || took != time.Minute || len(s.sent) < 6 ||
			!strings.Contains(err.Error(), "requests in 1m0s): answer ") {
			t.Errorf("%v after %v in %s", err, s.sent, took)
		}
	})
	for _, e := range []error{unix.ENETUNREACH, unix.ENXIO} {
		play(t, Config{}, 0, func(s *script, _ *client) [][]byte { s.fail = e; return nil }, func(_ dhcp.Lease, err error, s *script, _ time.Duration) {
			if err == nil || errors.Is(err, unix.ENXIO) != (e == unix.ENXIO) || (len(s.sent) == 1) != (e == unix.ENXIO) {
				t.Errorf("%v: %v after %v", e, err, s.sent)
			}
		})
	}
	if _, err := Inform(t.Context(), &script{closed: make(chan struct{})}, Config{DUID: []byte{1}}); err == nil {
		t.Error("a DUID of a byte: no error")
	}
}

func TestParseRouter(t *testing.T) {
	b := recorded(t, "dnsmasq-router.bin")
	r, err := parseRouter(b, server)
	if err != nil || !r.Managed || !r.Other || r.MTU != 1400 || len(r.Prefixes) != 1 || len(r.DNS) != 2 || len(r.Search) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := parseRouter(b, netip.MustParseAddr("2001:db8::1")); err == nil {
		t.Error("a router's address that is not link-local: no error")
	}
	for _, bad := range [][]byte{nil, b[:15], b[:17], append(bytes.Clone(b), 3, 0, 0, 0, 0, 0, 0, 0), append(bytes.Clone(b), 3, 9, 0, 0, 0, 0, 0, 0), append([]byte{133}, b[1:]...)} {
		if _, err := parseRouter(bad, server); err == nil {
			t.Errorf("%x: no error", bad)
		}
	}
	// An invalid option is ignored.
	head := append(bytes.Clone(b[:16]), 5, 1, 0, 0, 0, 0, 0, 1)
	head = append(head, append([]byte{3, 4, 129}, make([]byte, 29)...)...)
	head = append(head, append([]byte{3, 4, 64, 0xc0}, append(make([]byte, 12), netip.MustParseAddr("fe80::").AsSlice()...)...)...)
	head = append(head, 25, 1, 0, 0, 0, 0, 0, 9, 31, 2, 0, 0, 0, 0, 0, 9, 1, 'a', ' ', 0, 0, 0, 0, 0)
	if r, err := parseRouter(head, server); err != nil || r.MTU != 0 || r.Prefixes != nil || r.DNS != nil || r.Search != nil {
		t.Errorf("%+v %v", r, err)
	}
	if hopLimit([]byte{1}) != 0 || hopLimit(nil) != 0 {
		t.Error("a hop limit that the kernel did not tell")
	}
}

// The law: a lease that was taken is written so that it is read the same.
func FuzzLease(f *testing.F) {
	for _, name := range []string{"dnsmasq-advertise.bin", "dnsmasq-reply.bin"} {
		f.Add(recorded(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := clientOf(b)
		r, err := c.parse(b)
		if err != nil {
			return
		}
		for _, stateful := range []bool{true, false} {
			l, err := r.lease(c, server, stateful)
			if err != nil {
				continue
			}
			l.RootPath = l.ShownRootPath()
			again, err := runstate.ParseLease(runstate.FormatLease(l))
			if err != nil || runstate.FormatLease(again) != runstate.FormatLease(l) {
				t.Fatalf("%v: %s\nbecomes %s", err, runstate.FormatLease(l), runstate.FormatLease(again))
			}
		}
	})
}

func FuzzParseRouter(f *testing.F) {
	f.Add(recorded(f, "dnsmasq-router.bin"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRouter(b, server)
		if err == nil && (len(r.Prefixes) > dhcp.MaxList || len(r.DNS) > dhcp.MaxList || len(r.Search) > dhcp.MaxList) {
			t.Fatalf("lists without end: %+v", r)
		}
	})
}

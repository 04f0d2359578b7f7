package dhcp4_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp4"
)

// script is a server that answers a message with others, each after a time.
type script struct {
	answer func(*dhcpv4.DHCPv4) []timed
	sent   []string // what came, and when
	begun  time.Time
	queue  chan []byte
	closed chan struct{}
	fail   error // of Send
}

type timed struct {
	after time.Duration
	b     []byte
}

func newScript(answer func(*dhcpv4.DHCPv4) []timed) *script {
	return &script{answer: answer, begun: time.Now(), queue: make(chan []byte, 64), closed: make(chan struct{})}
}

func (s *script) Send(b []byte) error {
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		return err
	}
	s.sent = append(s.sent, fmt.Sprintf("%s %d", m.MessageType(), m.NumSeconds))
	for _, a := range s.answer(m) {
		if a.after == 0 { // timers of the same time fire in any order
			s.queue <- a.b
			continue
		}
		time.AfterFunc(a.after, func() { s.queue <- a.b })
	}
	return s.fail
}

func (s *script) Receive(deadline time.Time) ([]byte, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case b := <-s.queue:
		return b, nil
	case <-timer.C:
		return nil, os.ErrDeadlineExceeded
	case <-s.closed:
		return nil, fs.ErrClosed
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

func mac() []byte { return []byte{0x52, 0x54, 0, 0x12, 0x34, 0x56} }

// reply makes an answer of the server 10.1.1.N with the address 10.1.1.100+N.
func reply(m *dhcpv4.DHCPv4, typ dhcpv4.MessageType, n byte, change ...func(*dhcpv4.DHCPv4)) []byte {
	r := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: m.HWType, TransactionID: m.TransactionID, ClientHWAddr: m.ClientHWAddr,
		YourIPAddr: net.IP{10, 1, 1, 100 + n}, Options: dhcpv4.Options{
			53: {byte(typ)}, 54: {10, 1, 1, n}, 51: {0, 0, 14, 16}, 1: {255, 255, 255, 0}, 3: {10, 1, 1, 1},
		},
	}
	for _, c := range change {
		c(r)
	}
	return r.ToBytes()
}

func option(code uint8, b ...byte) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.Options[code] = b }
}

// lan is a network of well-behaved servers, by the time they take to answer.
func lan(changes map[byte]func(*dhcpv4.DHCPv4), delay map[byte]time.Duration) func(*dhcpv4.DHCPv4) []timed {
	return func(m *dhcpv4.DHCPv4) []timed {
		var out []timed
		for n, change := range changes {
			switch {
			case m.MessageType() == dhcpv4.MessageTypeDiscover:
				out = append(out, timed{delay[n], reply(m, dhcpv4.MessageTypeOffer, n, change)})
			case m.Options[54][3] == n:
				out = append(out, timed{delay[n], reply(m, dhcpv4.MessageTypeAck, n, change)})
			}
		}
		return out
	}
}

func none(*dhcpv4.DHCPv4) {}

// sinceBoot is a clock that differs each time it is read, as the kernel's does.
func sinceBoot() time.Duration { return time.Duration(time.Now().UnixNano()) }

// run plays a script against Acquire in a time that does not pass by itself.
func run(t *testing.T, cfg dhcp4.Config, limit time.Duration, answer func(*dhcpv4.DHCPv4) []timed, check func(dhcp.Lease, error, *script, []string)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		s := newScript(answer)
		var reports []string
		cfg.Interface, cfg.MAC, cfg.SinceBoot = "eth0", mac(), sinceBoot
		cfg.Report = func(text string) { reports = append(reports, text) }
		l, err := dhcp4.Acquire(ctx, s, cfg)
		check(l, err, s, reports)
	})
}

func TestAcquire(t *testing.T) {
	path := option(17, []byte("iscsi:10.1.1.9::::iqn.2007-01.com.example:a\x00")...)
	tests := []struct {
		name    string
		cfg     dhcp4.Config
		servers map[byte]func(*dhcpv4.DHCPv4)
		delay   map[byte]time.Duration
		address string
		sent    int
		elapsed time.Duration
	}{
		{"one server", dhcp4.Config{}, map[byte]func(*dhcpv4.DHCPv4){1: none}, nil, "10.1.1.101/24", 2, 0},
		{"two servers", dhcp4.Config{}, map[byte]func(*dhcpv4.DHCPv4){1: none, 2: none}, map[byte]time.Duration{1: 50 * time.Millisecond}, "10.1.1.102/24", 2, 0},
		{
			"root path is preferred",
			dhcp4.Config{WantRootPath: true},
			map[byte]func(*dhcpv4.DHCPv4){1: none, 2: path},
			map[byte]time.Duration{2: 700 * time.Millisecond},
			"10.1.1.102/24", 2, 1400 * time.Millisecond,
		},
		{
			"root path comes too late",
			dhcp4.Config{WantRootPath: true},
			map[byte]func(*dhcpv4.DHCPv4){1: none, 2: path},
			map[byte]time.Duration{2: 1100 * time.Millisecond},
			"10.1.1.101/24", 2, time.Second,
		},
		{
			"the first has the root path",
			dhcp4.Config{WantRootPath: true},
			map[byte]func(*dhcpv4.DHCPv4){1: path, 2: none},
			map[byte]time.Duration{1: 100 * time.Millisecond, 2: time.Hour},
			"10.1.1.101/24", 2, 200 * time.Millisecond,
		},
		{
			"an offer of nonsense",
			dhcp4.Config{},
			map[byte]func(*dhcpv4.DHCPv4){1: option(1, 255, 0, 255, 0), 2: none},
			map[byte]time.Duration{2: 100 * time.Millisecond},
			"10.1.1.102/24", 2, 200 * time.Millisecond,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run(t, tt.cfg, time.Minute, lan(tt.servers, tt.delay), func(l dhcp.Lease, err error, s *script, reports []string) {
				if err != nil {
					t.Fatalf("%v, reports %q", err, reports)
				}
				if l.Address.String() != tt.address || len(s.sent) != tt.sent || time.Since(s.begun) != tt.elapsed {
					t.Errorf("%s after %q in %s, want %s after %d in %s", l, s.sent, time.Since(s.begun), tt.address, tt.sent, tt.elapsed)
				}
				if string(l.ClientID) != string(dhcp.ClientID(mac())) {
					t.Errorf("client id %x", l.ClientID)
				}
			})
		})
	}
}

// Without an answer the client sends again after about 1, 2, 4, 8, 16, 16 seconds, with the elapsed
// time in the message.
func TestSilence(t *testing.T) {
	run(t, dhcp4.Config{}, time.Minute, func(*dhcpv4.DHCPv4) []timed { return nil }, func(_ dhcp.Lease, err error, s *script, reports []string) {
		var e *dhcp.NoLeaseError
		if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) || e.Elapsed != time.Minute {
			t.Errorf("error %v", err)
		}
		if e.Sent != len(s.sent) || len(s.sent) < 6 || len(s.sent) > 8 || len(reports) != len(s.sent)-1 {
			t.Errorf("sent %q, reports %q", s.sent, reports)
		}
		if !strings.HasPrefix(s.sent[0], "DISCOVER 0") || s.sent[4] == "DISCOVER 0" {
			t.Errorf("sent %q", s.sent)
		}
	})
}

// A server that was silent at first costs what the wait costs.
func TestSilentAtFirst(t *testing.T) {
	requests := 0
	good := lan(map[byte]func(*dhcpv4.DHCPv4){1: none}, nil)
	run(t, dhcp4.Config{}, time.Minute, func(m *dhcpv4.DHCPv4) []timed {
		if requests++; requests < 3 {
			return nil
		}
		return good(m)
	}, func(l dhcp.Lease, err error, s *script, _ []string) {
		took := time.Since(s.begun)
		if err != nil || len(s.sent) != 4 || took < 2400*time.Millisecond || took > 3600*time.Millisecond {
			t.Errorf("%v %v, sent %q in %s", l, err, s.sent, took)
		}
	})
}

func TestNAK(t *testing.T) {
	for _, naks := range []int{1, 3} {
		refused := 0
		run(t, dhcp4.Config{}, time.Minute, func(m *dhcpv4.DHCPv4) []timed {
			answers := lan(map[byte]func(*dhcpv4.DHCPv4){1: none}, nil)(m)
			if m.MessageType() == dhcpv4.MessageTypeRequest && refused < naks {
				refused++
				return []timed{{0, reply(m, dhcpv4.MessageTypeNak, 7)}, {0, reply(m, dhcpv4.MessageTypeNak, 1, option(56, []byte("taken\n")...))}}
			}
			return answers
		}, func(l dhcp.Lease, err error, s *script, reports []string) {
			if err != nil || len(s.sent) != 2*naks+2 || !strings.Contains(strings.Join(reports, "\n"), "the server refuses it") {
				t.Errorf("%v %v, sent %q, reports %q", l, err, s.sent, reports)
			}
			if took := time.Since(s.begun); naks == 1 && took != 0 || naks == 3 && (took < 2*time.Second || took > 4*time.Second) {
				t.Errorf("%d refusals took %s", naks, took)
			}
		})
	}
}

// A server that offers and then falls silent is left for another.
func TestOfferOnly(t *testing.T) {
	run(t, dhcp4.Config{}, 2*time.Minute, func(m *dhcpv4.DHCPv4) []timed {
		switch {
		case m.MessageType() == dhcpv4.MessageTypeDiscover && m.NumSeconds < 10:
			return []timed{{0, reply(m, dhcpv4.MessageTypeOffer, 1)}}
		case m.MessageType() == dhcpv4.MessageTypeRequest && m.Options[54][3] == 1:
			return nil
		}
		return lan(map[byte]func(*dhcpv4.DHCPv4){2: none}, nil)(m)
	}, func(l dhcp.Lease, err error, s *script, reports []string) {
		if err != nil || l.Address.String() != "10.1.1.102/24" || len(s.sent) != 7 {
			t.Errorf("%v %v, sent %q, reports %q", l, err, s.sent, reports)
		}
	})
}

// Messages for other clients, or malformed ones, are ignored and reported.
func TestHostile(t *testing.T) {
	bad := map[string]func(*dhcpv4.DHCPv4) []byte{
		"a broken message": func(m *dhcpv4.DHCPv4) []byte { return m.ToBytes()[:100] },
		"without a DHCP message type": func(m *dhcpv4.DHCPv4) []byte {
			return reply(m, 0, 1, func(m *dhcpv4.DHCPv4) { delete(m.Options, 53) })
		},
		"no server identifier": func(m *dhcpv4.DHCPv4) []byte { return reply(m, dhcpv4.MessageTypeOffer, 1, option(54, 0, 0, 0, 0)) },
		"is not a host address": func(m *dhcpv4.DHCPv4) []byte {
			return reply(m, dhcpv4.MessageTypeOffer, 1, func(m *dhcpv4.DHCPv4) { m.YourIPAddr = net.IP{255, 255, 255, 255} })
		},
		"that of the network": func(m *dhcpv4.DHCPv4) []byte {
			return reply(m, dhcpv4.MessageTypeOffer, 1, func(m *dhcpv4.DHCPv4) { m.YourIPAddr = net.IP{10, 1, 1, 0} })
		},
		"subnet mask has 3 bytes": func(m *dhcpv4.DHCPv4) []byte { return reply(m, dhcpv4.MessageTypeOffer, 1, option(1, 255, 255, 0)) },
		"it is for 0s":            func(m *dhcpv4.DHCPv4) []byte { return reply(m, dhcpv4.MessageTypeOffer, 1, option(51)) },
		"options in place of names": func(m *dhcpv4.DHCPv4) []byte {
			return reply(m, dhcpv4.MessageTypeOffer, 1, option(52, 3), func(m *dhcpv4.DHCPv4) { m.BootFileName = "\x11\xff" + strings.Repeat("x", 100) })
		},
	}
	for want, make := range bad {
		run(t, dhcp4.Config{}, 500*time.Millisecond, func(m *dhcpv4.DHCPv4) []timed {
			stranger := *m
			stranger.TransactionID[0]++
			return []timed{{0, reply(&stranger, dhcpv4.MessageTypeOffer, 9)}, {0, make(m)}, {10 * time.Millisecond, make(m)}}
		}, func(_ dhcp.Lease, err error, _ *script, reports []string) {
			if err == nil || !strings.Contains(err.Error(), want) || len(reports) != 1 {
				t.Errorf("want %q: error %v, reports %q", want, err, reports)
			}
		})
	}
}

func TestSendErrors(t *testing.T) {
	for _, e := range []error{unix.ENETDOWN, unix.ENXIO} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s := newScript(func(*dhcpv4.DHCPv4) []timed { return nil })
			s.fail = e
			_, err := dhcp4.Acquire(ctx, s, dhcp4.Config{Interface: "eth0", MAC: mac(), SinceBoot: sinceBoot})
			var none *dhcp.NoLeaseError
			if !errors.As(err, &none) || errors.Is(err, unix.ENXIO) != (e == unix.ENXIO) || (none.Sent == 1) != (e == unix.ENXIO) {
				t.Errorf("%v: %v", e, err)
			}
		})
	}
	if _, err := dhcp4.Acquire(t.Context(), newScript(nil), dhcp4.Config{MAC: mac(), ClientID: slices.Repeat([]byte{1}, 256), SinceBoot: sinceBoot}); err == nil {
		t.Error("a client identifier of 256 bytes: no error")
	}
}

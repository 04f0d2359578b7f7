package session

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// sessionAt makes a session of a target with these portals, in a kernel whose first session is
// 0x010203.
func sessionAt(t *testing.T, edit func(*Config), portals ...netip.AddrPort) (*Session, *kerneltest.Kernel) {
	t.Helper()
	k := kerneltest.New()
	k.FirstSID = 0x010202
	tr := k.Transport()
	t.Cleanup(func() {
		k.Close()
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		for _, err := range k.Errs() {
			t.Error(err)
		}
	})
	c := Config{Initiator: initiator, Target: specOf(portals...)}
	if edit != nil {
		edit(&c)
	}
	return startSession(t, tr, c), k
}

// closed returns a port on which no socket listens.
func closed(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// hole returns an address that does not answer: its accept queue is full.
func hole(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	loopback := [4]byte{127, 0, 0, 1}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4(loopback), uint16(name.(*unix.SockaddrInet4).Port))
	for range 3 {
		conn, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the accept queue is never full")
	return addr
}

// A portal that refuses or drops connections delays the login only slightly.
func TestDeadPortal(t *testing.T) {
	for name, dead := range map[string]netip.AddrPort{"refuses": closed(t), "is silent": hole(t)} {
		t.Run(name, func(t *testing.T) {
			tg := startTarget(t, welcome)
			s, k := sessionAt(t, nil, dead, tg.portal)
			s.times.stagger = defaultTimes.stagger
			began := time.Now()
			if _, err := s.Login(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("login took %v", d)
			}
			if s.Portal != tg.portal || !slices.Equal(s.Portals, []netip.AddrPort{dead, tg.portal}) {
				t.Errorf("at %s of %v", s.Portal, s.Portals)
			}
			checkTries(t, k.Requests(), 1)
			k.Close()
			checkISIDs(t, tg, 1)
		})
	}
}

// After a failed login the next portal is tried with the same session.
func TestNextPortal(t *testing.T) {
	sick := startTarget(t, script(iscsitest.Status(0x0301)))
	well := startTarget(t, welcome)
	s, k := sessionAt(t, nil, sick.portal, well.portal)
	if _, err := s.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Portal != well.portal {
		t.Errorf("at %s", s.Portal)
	}
	checkTries(t, k.Requests(), 2)
	k.Close()
	checkISIDs(t, sick, 1)
	checkISIDs(t, well, 1)
}

// An error names every portal and the attempt; the hint is that of a target's response rather than
// of an unreachable portal.
func TestAllPortalsFail(t *testing.T) {
	dead := closed(t)
	sick := startTarget(t, script(iscsitest.Status(0x0203)), script(iscsitest.Status(0x0203)))
	s, _ := sessionAt(t, nil, dead, sick.portal)
	for attempt := 1; attempt <= 2; attempt++ {
		_, err := s.Login(t.Context())
		var failed *LoginError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v", err)
		}
		want := "login to " + targetName + " at " + dead.String() + ": connection refused; at " + sick.portal.String() +
			" refused (0203): this portal has no target of that name, in the security stage (initiator " + initiator + ", attempt " + number(uint32(attempt)) + ")"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if !failed.Retryable() || failed.Pause() != 0 || !strings.HasPrefix(failed.Hint(), "correct iscsi_t=") {
			t.Errorf("retryable %v, pause %v, hint %s", failed.Retryable(), failed.Pause(), failed.Hint())
		}
	}
}

// names is a Resolver with fixed addresses.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if network != "ip" {
		return nil, errors.New("want both families")
	}
	var out []netip.Addr
	for _, a := range n[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

// All addresses of a name are tried; they are kept for when the name server is unreachable.
func TestNames(t *testing.T) {
	tg := startTarget(t, welcome, welcome)
	book := names{"storage": {"127.9.9.9", "::ffff:127.0.0.1"}}
	s, k := sessionAt(t, func(c *Config) {
		c.Resolver = book
		c.Target.Portals = []bootspec.Value[bootspec.Portal]{{V: bootspec.Portal{Host: "storage", Port: tg.portal.Port()}}, {V: bootspec.Portal{Host: "nowhere", Port: 1}}}
	})
	for range 2 {
		if _, err := s.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := netip.AddrPortFrom(netip.MustParseAddr("127.9.9.9"), tg.portal.Port())
		if s.Portal != tg.portal || !slices.Equal(s.Portals, []netip.AddrPort{first, tg.portal}) {
			t.Errorf("at %s of %v", s.Portal, s.Portals)
		}
		delete(book, "storage")
		k.Close()
	}
}

func TestNoName(t *testing.T) {
	s, _ := sessionAt(t, func(c *Config) {
		c.Resolver = names{}
		c.Target.Portals = []bootspec.Value[bootspec.Portal]{{V: bootspec.Portal{Host: "nowhere", Port: 860}}}
	})
	_, err := s.Login(t.Context())
	var failed *LoginError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), " at nowhere:860: no such host name (") || !failed.Retryable() || !strings.Contains(failed.Hint(), "nameserver=") {
		t.Errorf("got %v", err)
	}
}

// The ISID on the wire is the same at every boot, also if the first portal is unreachable.
func TestISIDOverBoots(t *testing.T) {
	for boot := range 10 {
		tg := startTarget(t, script(iscsitest.Status(0x0302)), welcome)
		portals := []netip.AddrPort{tg.portal}
		if boot%2 == 1 {
			portals = []netip.AddrPort{closed(t), tg.portal}
		}
		s, k := sessionAt(t, nil, portals...)
		if _, err := s.Login(t.Context()); err == nil {
			t.Fatal("the target was busy")
		}
		if _, err := s.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.Close()
		checkISIDs(t, tg, 2)
	}
}

// The error of a target that accepts connections and does not respond differs from that of one that
// is unreachable.
func TestSilentTarget(t *testing.T) {
	tg := startTarget(t, script(iscsitest.Silence()))
	s, _ := sessionAt(t, nil, tg.portal)
	s.times.response = 50 * time.Millisecond
	_, err := s.Login(t.Context())
	checkLoginError(t, err, failure{retryable: true, text: ": receive response 1 (security stage): target does not answer for 50ms (initiator ", hint: "the portal accepted the connection: check that it is an iSCSI target's"}, tg.portal)
}

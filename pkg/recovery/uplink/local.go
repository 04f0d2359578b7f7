package uplink

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// HasSource reports whether the machine has a connection's source address. It tries the socket
// calls of a connection, since rtnetlink can wait for a driver that resets its NIC. In doubt it
// returns true.
func HasSource(w session.Way) bool {
	a := w.Source.Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		return true
	}
	tentative := false
	if a.Is6() {
		text, err := readLimited("/proc/net/if_inet6", maxInet6)
		if err == nil {
			there := false
			if there, tentative = inet6(text, a); !there {
				return false
			}
		}
	}
	err := bindTo(a, w.Device)
	// bind(2) refuses an address during duplicate address detection.
	gone := errors.Is(err, unix.EADDRNOTAVAIL) && !tentative
	return !gone && !errors.Is(err, unix.ENODEV)
}

// discardPort is the port of a connect that sends nothing (RFC 863).
const discardPort = 9

// bindTo binds a socket to an address, by a device if one is named.
func bindTo(a netip.Addr, device string) error {
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if device != "" {
		if err := unix.BindToDevice(fd, device); err != nil {
			return err
		}
	}
	if a.Is6() {
		return unix.Bind(fd, &unix.SockaddrInet6{Addr: a.As16(), ZoneId: zone(a)})
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: a.As4()}); err != nil {
		return err
	}
	// With ip_nonlocal_bind bind(2) accepts any address. A route from one that the machine does
	// not have is refused nevertheless (net/ipv4/route.c: ip_route_output_key_hash_rcu), and
	// there always is one to an address of its own. Nothing is sent.
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: a.As4(), Port: discardPort})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENETUNREACH) {
		return unix.EADDRNOTAVAIL
	}
	return nil
}

// zone is the number of a link-local address's interface; 0: it names none by number.
func zone(a netip.Addr) uint32 {
	n, err := strconv.ParseUint(a.Zone(), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// maxInet6 bounds what is read of /proc/net/if_inet6, in bytes: some 10000 addresses.
const maxInet6 = 1 << 20

func readLimited(path string, most int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, most))
	return string(b), err
}

// inet6 reads from the text of /proc/net/if_inet6 (net/ipv6/addrconf.c: if6_seq_show) whether an
// address is there, and whether it is tentative on all its interfaces.
func inet6(text string, want netip.Addr) (there, tentative bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line) // address index prefix scope flags name
		if len(f) < 6 || len(f[0]) != 32 {
			continue
		}
		var b [16]byte
		ok := true
		for i := range b {
			n, err := strconv.ParseUint(f[0][2*i:2*i+2], 16, 8)
			b[i], ok = byte(n), ok && err == nil
		}
		flags, err := strconv.ParseUint(f[4], 16, 32)
		if !ok || err != nil || netip.AddrFrom16(b) != want.WithZone("") {
			continue
		}
		tentative = (!there || tentative) && flags&unix.IFA_F_TENTATIVE != 0
		there = true
	}
	return there, tentative
}

package uplink

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// link6 is a line of /proc/net/if_inet6.
const link6 = "fd000000000000000000000000000002 02 40 00 80     eth0\n"

func TestInet6(t *testing.T) {
	tentative := strings.Replace(link6, " 80 ", " c0 ", 1)
	for name, tt := range map[string]struct {
		text             string
		there, tentative bool
	}{
		"none":             {"", false, false},
		"there":            {"fe800000000000000000000000000001 02 40 20 80 eth0\n" + link6, true, false},
		"tentative":        {tentative, true, true},
		"on two, one sure": {tentative + link6, true, false},
		"the other way":    {link6 + tentative, true, false},
		"another":          {strings.Replace(link6, "2 02", "3 02", 1), false, false},
		"damaged":          {"fd0000000000000000000000000000+2 02 40 00 80 eth0\nfd 1 2 3 4 5\n\n", false, false},
	} {
		if there, tentative := inet6(tt.text, netip.MustParseAddr("fd00::2")); there != tt.there || tentative != tt.tentative {
			t.Errorf("%s: there %v, tentative %v", name, there, tentative)
		}
	}
}

func FuzzInet6(f *testing.F) {
	f.Add(link6)
	f.Add("fe800000000000000000000000000001 02 40 20 c0 lo\n")
	f.Fuzz(func(t *testing.T, text string) {
		if there, tentative := inet6(text, netip.MustParseAddr("fd00::2")); !there && tentative || there && !strings.Contains(text, "2") {
			t.Errorf("there %v, tentative %v", there, tentative)
		}
	})
}

// TestLocal reads the kernel's addresses.
func TestLocal(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		a, b := vethPair(t, "a0", "b0")
		n := kernelNIC{}
		index := a.Attrs().Index
		err := errors.Join(netlink.LinkSetUp(a), netlink.LinkSetUp(b),
			n.addAddress(index, netip.MustParsePrefix("10.0.0.2/24")), n.addAddress(index, netip.MustParsePrefix("fd00::2/64")),
			netlink.AddrAdd(a, &netlink.Addr{IPNet: rtwatch.IPNet(netip.MustParsePrefix("fd00::7/64"))})) // its duplicates are looked for
		if err != nil {
			t.Fatal(err)
		}
		check := func(name, device, source string, want bool) {
			t.Helper()
			w := session.Way{Device: device}
			if source != "" {
				w.Source = netip.MustParseAddr(source)
			}
			if got := HasSource(w); got != want {
				t.Errorf("%s: %+v is local: %v", name, w, got)
			}
		}
		check("tentative", "", "fd00::7", true)
		all := func(name string) {
			t.Helper()
			check(name, "", "", true)
			check(name, "", "10.0.0.2", true)
			check(name, "", "10.0.0.3", false)
			check(name, "", "fd00::2", true)
			check(name, "", "::ffff:10.0.0.2", true)
			check(name, "", "fd00::3", false)
			check(name, "a0", "10.0.0.2", true)
			check(name, "a0", "10.0.0.3", false)
			check(name, "no", "10.0.0.2", false)
		}
		all("as it is")
		for _, v := range []string{"4", "6"} {
			if err := os.WriteFile("/proc/sys/net/ipv"+v+"/ip_nonlocal_bind", []byte("1"), 0); err != nil {
				t.Fatal(err)
			}
		}
		all("with ip_nonlocal_bind")
		if err := errors.Join(n.removeAddress(index, netip.MustParsePrefix("10.0.0.2/24")), n.removeAddress(index, netip.MustParsePrefix("fd00::2/64"))); err != nil {
			t.Fatal(err)
		}
		check("taken away", "", "10.0.0.2", false)
		check("taken away", "", "fd00::2", false)
		if err := n.removeAddress(index, netip.MustParsePrefix("10.0.0.2/24")); err != nil {
			t.Errorf("an address that was removed: %v", err)
		}
	})
}

// vethPair makes two links that are one cable.
func vethPair(t *testing.T, a, b string) (netlink.Link, netlink.Link) {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name = a
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: b}); err != nil {
		t.Fatal(err)
	}
	return linkOf(t, a), linkOf(t, b)
}

package network

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// inNamespace runs f on a thread in a network namespace of its own.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Fatalf("make a network namespace: %v: run the tests as root", err)
	}
}

// veth makes a pair whose one end looks like hardware, through sys.
func veth(t *testing.T, sys, name string) netlink.Link {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name = name
	peer := name + "p"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: peer}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(sys, name, "device"), 0o700); err != nil {
		t.Fatal(err)
	}
	other, err := netlink.LinkByName(peer)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func plan(iface string) bootspec.Net {
	n := bootspec.Net{
		Address: bootspec.Value[netip.Prefix]{V: netip.MustParsePrefix("10.1.1.165/26"), From: "test"},
		Gateway: bootspec.Value[netip.Addr]{V: netip.MustParseAddr("10.1.1.180"), From: "test"},
	}
	if iface != "" {
		n.Interface = bootspec.Value[string]{V: iface, From: "test"}
	}
	return n
}

// The carrier comes only when the other end is set up; Up must have set its own
// end up, waited, and configured the one that got a link.
func TestUpWaitsForCarrier(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		veth(t, sys, "dead0")
		other := veth(t, sys, "live0")
		leases, err := Up(t.Context(), Config{Net: plan(""), SysClassNet: sys, Report: func(s State) {
			if len(s.Links) == 2 && s.Links[1].Up {
				if err := netlink.LinkSetUp(other); err != nil {
					t.Error(err)
				}
			}
		}})
		if err != nil {
			t.Error(err)
			return
		}
		if len(leases) != 1 || leases[0].String() != "10.1.1.165/26 on live0, route default via 10.1.1.180" {
			t.Errorf("leases %v", leases)
		}
		link, _ := netlink.LinkByName("live0")
		addrs, _ := netlink.AddrList(link, netlink.FAMILY_V4)
		if len(addrs) != 1 || addrs[0].IPNet.String() != "10.1.1.165/26" {
			t.Errorf("addresses %v", addrs)
		}
		routes, _ := netlink.RouteList(link, netlink.FAMILY_V4)
		if len(routes) != 2 {
			t.Errorf("routes %v", routes)
		}
		// A second try finds all as it left it.
		if _, err := Up(t.Context(), Config{Net: plan("live0"), SysClassNet: sys}); err != nil {
			t.Error(err)
		}
	})
}

func TestUpSaysWhatIsMissing(t *testing.T) {
	tests := []struct {
		name, want string
		links      []string
		text       string
		heals      bool
	}{
		{"no hardware", "", nil, "no network interface: add the driver", false},
		{"no carrier", "", []string{"a0", "b0"}, "no link on a0, b0: check cable", true},
		{"wrong name", "eth7", []string{"a0"}, "no interface eth7, there is a0p, a0:", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inNamespace(t, func() {
				sys := t.TempDir()
				for _, l := range tt.links {
					veth(t, sys, l)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				_, err := Up(ctx, Config{Net: plan(tt.want), SysClassNet: sys})
				var we *WaitError
				if !errors.As(err, &we) || !strings.Contains(err.Error(), tt.text) || we.Heals() != tt.heals {
					t.Errorf("got %v", err)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v does not unwrap to the deadline", err)
				}
			})
		})
	}
}

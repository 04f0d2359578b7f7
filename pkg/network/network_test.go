package network

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// patience is for what happens at once on a machine that has nothing else to do.
const patience = 30 * time.Second

// The carrier comes only when the other end is set up; a link without one is left as it was found.
func TestWaitsForCarrier(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		veth(t, sys, "dead0")
		other := veth(t, sys, "live0")
		cfg := Config{Net: static(""), SysClassNet: sys, Report: func(s State) {
			if len(s.Links) == 2 && s.String() == "no link on dead0, live0: check cable and switch port" {
				if err := netlink.LinkSetUp(other); err != nil {
					t.Error(err)
				}
			}
		}}
		n, leases, err := run(t, cfg, patience)
		if err != nil || len(leases) != 1 || leases[0].String() != "10.1.1.165/26 on live0, route default via 10.1.1.180" {
			t.Fatalf("leases %v, %v", leases, err)
		}
		// It is set down immediately, before Stop, and stays down.
		for end := time.Now().Add(patience); linkOf(t, "dead0").Attrs().RawFlags&unix.IFF_UP != 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the link without an address is up")
			}
		}
		settled(t, n, sys)
		if linkOf(t, "dead0").Attrs().RawFlags&unix.IFF_UP != 0 {
			t.Error("the link without an address is set up again")
		}
		n.Stop()
		link := linkOf(t, "live0")
		addrs, _ := netlink.AddrList(link, netlink.FAMILY_V4)
		if len(addrs) != 1 || addrs[0].IPNet.String() != "10.1.1.165/26" {
			t.Errorf("addresses %v", addrs)
		}
		routes, _ := netlink.RouteList(link, netlink.FAMILY_V4)
		if len(routes) != 2 {
			t.Errorf("routes %v", routes)
		}
		// A second attempt changes nothing.
		again, _, err := run(t, Config{Net: static("live0"), SysClassNet: sys}, patience)
		if err != nil {
			t.Fatal(err)
		}
		again.Undo()
		if addrs, _ := netlink.AddrList(link, netlink.FAMILY_V4); len(addrs) != 0 {
			t.Errorf("addresses %v after Undo", addrs)
		}
	})
}

func TestMissingText(t *testing.T) {
	tests := []struct {
		name, want string
		links      []string
		text       string
		retryable  bool
	}{
		{"no-hardware", "", nil, "no network interface: add the driver", false},
		{"no-carrier", "", []string{"a0", "b0"}, "no link on a0, b0: check cable", true},
		{"wrong-name", "eth7", []string{"a0"}, "no interface eth7, there is a0p, a0:", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inNamespace(t, func() {
				sys := t.TempDir()
				for _, l := range tt.links {
					veth(t, sys, l)
				}
				_, err := missing(t, Config{Net: static(tt.want), SysClassNet: sys}, tt.text)
				var we *WaitError
				if !errors.As(err, &we) || !strings.Contains(err.Error(), tt.text) || we.Retryable() != tt.retryable {
					t.Errorf("got %v", err)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v does not unwrap to the deadline", err)
				}
			})
		})
	}
}

// Without any interface the driver is missing, whatever the line names; with one, the line may be
// wrong.
func TestNoInterface(t *testing.T) {
	const driver = ": add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)"
	const mac = "52:54:00:aa:bb:02"
	other := []string{"eth0", "eth1"}
	for _, tt := range []struct {
		state State
		text  string
	}{
		{State{}, "no network interface" + driver},
		{State{MAC: mac}, "no network interface, and so none with MAC " + mac + driver},
		{State{Interface: "eth7"}, "no network interface, and so not eth7" + driver},
		{State{Interface: "bond0", Parts: []string{"eth7"}}, "no network interface, and so not bond0" + driver},
		{State{MAC: mac, Other: other}, "no interface with MAC " + mac + ", there is eth0, eth1: correct BOOTIF= or ip=, or add its driver to the image"},
		{State{Interface: "eth7", Other: other}, "no interface eth7, there is eth0, eth1: correct iscsi_if=, or add its driver to the image"},
		{
			State{Interface: "bond0", Parts: []string{"eth7"}, Other: other},
			"no interface bond0, because it is to be made of eth7 and there is eth0, eth1: correct vlan=, bond= or bridge=, or add the driver to the image",
		},
	} {
		if got := tt.state.String(); got != tt.text {
			t.Errorf("got %s\nwant %s", got, tt.text)
		}
	}
}

// While a driver is being loaded, the missing interface may still appear.
func TestStillLoading(t *testing.T) {
	for _, tt := range []struct {
		state State
		text  string
	}{
		{State{Loading: []string{"e1000e"}}, "no network interface yet: driver e1000e is still loading"},
		{State{Loading: []string{"a", "b"}, Interface: "eth1", Other: []string{"eth0"}}, "no interface eth1 yet: drivers a, b are still loading"},
		{State{Busy: []string{"eth0"}, MAC: "52:54:00:aa:bb:02"}, "no interface with MAC 52:54:00:aa:bb:02 yet: the driver of eth0 is not ready"},
	} {
		n := &Network{cfg: Config{Loading: func() []string { return tt.state.Loading }}, ended: make(chan struct{}), changed: make(chan struct{})}
		n.busy = tt.state.Busy
		n.waiting = tt.state
		n.waiting.Busy, n.waiting.Loading = nil, nil
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		_, err := n.Wait(ctx)
		var waited *WaitError
		if !errors.As(err, &waited) || !waited.Retryable() || err.Error() != "network: "+tt.text {
			t.Errorf("got %v, want %s", err, tt.text)
		}
	}
}

// A NIC that appears late is used, and one that disappears is waited for again.
func TestLateNIC(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		n, err := missing(t, Config{Net: static("late0"), SysClassNet: sys}, "and so not late0")
		if err == nil || !strings.Contains(err.Error(), "no network interface, and so not late0") {
			t.Fatal(err)
		}
		for range 2 {
			if err := netlink.LinkSetUp(veth(t, sys, "late0")); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if leases, err := n.Wait(ctx); err != nil || leases[0].Interface != "late0" {
				t.Fatalf("leases %v, %v", leases, err)
			}
			if err := netlink.LinkDel(linkOf(t, "late0")); err != nil {
				t.Fatal(err)
			}
			for len(n.Leases()) > 0 {
				if ctx.Err() != nil {
					t.Fatal("its lease is still listed")
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
}

// Two lines, two NICs: both are up, the boot's first, whose default route takes precedence.
func TestTwoLines(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		for _, name := range []string{"a0", "b0"} {
			if err := netlink.LinkSetUp(veth(t, sys, name)); err != nil {
				t.Fatal(err)
			}
		}
		plan := lines(t, "10.2.0.2::10.2.0.1:24::a0:none", "10.3.0.2::10.3.0.1:24::b0:none")
		plan.Interface = bootspec.Value[string]{V: "b0", From: "bootdev="}
		_, leases, err := run(t, Config{Net: plan, SysClassNet: sys, OthersLimit: time.Hour}, patience)
		if err != nil || len(leases) != 2 || leases[0].Interface != "b0" || leases[1].Interface != "a0" {
			t.Fatalf("leases %v, %v", leases, err)
		}
		routes, err := netlink.RouteGet([]byte{192, 0, 2, 1})
		if err != nil || len(routes) != 1 || routes[0].Gw.String() != "10.3.0.1" {
			t.Errorf("default route: %v, %v", routes, err)
		}
	})
}

// A line whose NIC has no carrier delays the others only up to OthersLimit.
func TestOneOfTwoLines(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		dead := veth(t, sys, "a0")
		if err := netlink.LinkSetUp(veth(t, sys, "b0")); err != nil {
			t.Fatal(err)
		}
		plan := lines(t, "10.2.0.2:::24::a0:none", "10.3.0.2:::24::b0:none")
		n, leases, err := run(t, Config{Net: plan, SysClassNet: sys, OthersLimit: time.Millisecond}, patience)
		if err != nil || len(leases) != 1 || leases[0].Interface != "b0" {
			t.Fatalf("leases %v, %v", leases, err)
		}
		if err := netlink.LinkSetUp(dead); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); len(n.Leases()) < 2; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("leases %v", n.Leases())
			}
		}
	})
}

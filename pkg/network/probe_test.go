package network

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// probing simulates a driver that holds the lock of its device until done is called: the attribute
// is a named pipe, whose reader waits as it would for the kernel's lock.
func probing(t *testing.T, sys, name string) (done func()) {
	t.Helper()
	dev := filepath.Join(sys, name, "device")
	if err := os.MkdirAll(dev, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dev, "driver_override")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The data stays in the pipe for later readers: the probe has ended.
	done = sync.OnceFunc(func() { _, _ = f.Write(make([]byte, 16)) })
	t.Cleanup(func() { done(); _ = f.Close() })
	return done
}

// An interface is not set up before the driver's probe has ended, and not at all if ctx has ended
// by then.
func TestSetUpWaitsForTheProbe(t *testing.T) {
	sys := t.TempDir()
	done := probing(t, sys, "eth9")
	// There is no such link, so that to set it up fails, after the wait.
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index = "eth9", 1<<30
	link := &netlink.Device{LinkAttrs: attrs}
	raised := make(chan error)
	go func() { raised <- setUpAfterProbe(t.Context(), sys, link) }()
	select {
	case err := <-raised:
		t.Errorf("it was set up before the probe was over: %v", err)
	default: // it waits, or has not begun
	}
	done()
	if err := <-raised; err != nil {
		t.Error(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := setUpAfterProbe(over, filepath.Join(sys, "none"), &netlink.Device{}); err != nil {
		t.Errorf("set up after the end: %v", err)
	}
}

// A NIC whose driver has registered its interface and does not return from its probe delays only
// itself: neither the other NIC's lease nor Stop. When the probe has ended the NIC is used.
func TestSlowProbe(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		for _, name := range []string{"slow0", "fast0"} { // the slow one is the first that the kernel lists
			if err := netlink.LinkSetUp(veth(t, sys, name)); err != nil {
				t.Fatal(err)
			}
		}
		done := probing(t, sys, "slow0")
		begin := func() (n *Network, up, warned chan string) {
			up, warned = make(chan string, 4), make(chan string, 16)
			n, err := Start(Config{
				Net: lines(t, "10.2.0.2:::24::slow0:none", "10.3.0.2:::24::fast0:none"), SysClassNet: sys, StopLimit: time.Millisecond,
				Up: func(l dhcp.Lease) { up <- l.Interface }, Warn: func(text string) { warned <- text },
			})
			if err != nil {
				t.Fatal(err)
			}
			return n, up, warned
		}
		isUp := func() bool { return linkOf(t, "slow0").Attrs().RawFlags&unix.IFF_UP != 0 }

		n, up, warned := begin()
		if name := <-up; name != "fast0" {
			t.Fatalf("the first one up is %s", name)
		}
		n.Stop()
		for text := ""; text != "link slow0: its driver does not return from a system call"; {
			text = <-warned // that fast0 is busy too, if the machine is
		}
		if isUp() {
			t.Error("the slow link is up")
		}
		done()
		if left := n.tasks.wait(t.Context()); left != nil || isUp() {
			t.Errorf("left %q; up, although no line matches it: %v", left, isUp())
		}

		n, up, _ = begin()
		for got := map[string]bool{}; len(got) < 2; {
			got[<-up] = true
		}
		n.Stop()
	})
}

// A NIC that is named while its driver is probing is reported as such, and is waited for.
func TestDriverBusy(t *testing.T) {
	inNamespace(t, func() {
		sys := t.TempDir()
		if err := netlink.LinkSetUp(veth(t, sys, "slow0")); err != nil {
			t.Fatal(err)
		}
		done := probing(t, sys, "slow0")
		n, err := Start(Config{Net: static("slow0"), SysClassNet: sys})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Undo()
		expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			_, err := n.Wait(expired)
			var waited *WaitError
			if errors.As(err, &waited) && waited.Retryable() && err.Error() == "network: no interface slow0 yet: the driver of slow0 is not ready" {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("got %v", err)
			}
		}
		done()
		if leases, err := n.Wait(t.Context()); err != nil || len(leases) != 1 {
			t.Errorf("leases %v, %v", leases, err)
		}
	})
}

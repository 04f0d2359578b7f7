package uevent

import (
	"errors"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// TestMain runs the tests in a network namespace: the kernel reports the devices of a namespace
// there alone (lib/kobject_uevent.c: kobject_uevent_net_broadcast).
func TestMain(m *testing.M) { nstest.Main(m) }

// device makes a device, and returns the kernel's event. It is removed at the end of the test.
func device(t *testing.T, name string) (Event, error) {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name = name
	link := &netlink.Veth{LinkAttrs: la, PeerName: name + "p"}
	if err := netlink.LinkAdd(link); err != nil {
		return Event{}, err
	}
	t.Cleanup(func() {
		if err := netlink.LinkDel(link); err != nil {
			t.Error(err)
		}
	})
	return Event{Action: "add", DevPath: "/devices/virtual/net/" + name, Subsystem: "net"}, nil
}

// A device event of the kernel reaches a waiter.
func TestListen(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	var want Event
	err = l.Wait(t.Context(), func(ev Event) (_ bool, err error) {
		if want == (Event{}) {
			want, err = device(t, "listen0")
			return false, err
		}
		return ev == want, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(t.Context(), func(Event) (bool, error) { return false, nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v after Close, want a closed file", err)
	}
}

// A listener for iSCSI devices receives no events of others. A listener for all devices shows when
// the event was sent.
func TestListenISCSI(t *testing.T) {
	all, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Close() }()
	ours, err := ListenISCSI()
	if err != nil {
		t.Fatal(err)
	}
	calls := make(chan Event, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- ours.Wait(t.Context(), func(ev Event) (bool, error) { calls <- ev; return false, nil })
	}()
	if first := <-calls; first != (Event{}) {
		t.Errorf("the first look is for %+v", first)
	}
	var want Event
	err = all.Wait(t.Context(), func(ev Event) (_ bool, err error) {
		if want == (Event{}) {
			want, err = device(t, "iscsi0")
			return false, err
		}
		return ev == want, nil
	})
	if err := errors.Join(err, ours.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("the wait ended with %v", err)
	}
	if len(calls) > 0 {
		t.Errorf("heard of %+v", <-calls)
	}
}

package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// fed is a subscription that a test feeds.
type fed struct {
	updates chan rtwatch.Update
	err     error
	closed  bool
}

func newFed() *fed { return &fed{updates: make(chan rtwatch.Update)} }

func (h *fed) Updates() <-chan rtwatch.Update { return h.updates }
func (h *fed) Err() error                     { return h.err }
func (h *fed) Close()                         { h.closed = true }

// keeping runs a keeper in a bubble of its own time. setup makes, in the bubble, what its
// subscriptions come from.
func keeping(t *testing.T, w *wires, setup func() func() (subscription, error), test func(t *testing.T, k *Keeper, log *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		k := newKeeper(faked{w}, log, []Uplink{testUplink()}, func() {})
		k.subscribe = setup()
		ctx, cancel := context.WithCancel(t.Context())
		var tasks sync.WaitGroup
		tasks.Go(func() { k.Watch(ctx) })
		tasks.Go(func() { k.Maintain(ctx) })
		test(t, k, log)
		cancel()
		tasks.Wait()
	})
}

func neighbourUp() rtwatch.Update {
	return rtwatch.Update{Neighbour: &netlink.NeighUpdate{
		Type: unix.RTM_NEWNEIGH, Neigh: netlink.Neigh{IP: net.IP{10, 0, 0, 1}, State: netlink.NUD_REACHABLE},
	}}
}

func linkUpdate(flags uint32) rtwatch.Update {
	return rtwatch.Update{Link: &netlink.LinkUpdate{
		Header: unix.NlMsghdr{Type: unix.RTM_NEWLINK}, Link: &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 2, RawFlags: flags}},
	}}
}

// On a machine whose kernel refuses a subscription for a while, or always, the addresses are kept
// nevertheless, and a later subscription is used.
func TestSubscriptionIsRetried(t *testing.T) {
	w := whole()
	w.addrs = nil
	var h *fed
	var tries atomic.Int32
	refuse := func() func() (subscription, error) {
		h = newFed()
		return func() (subscription, error) {
			if tries.Add(1) <= 100 {
				return nil, unix.ENOBUFS
			}
			return h, nil
		}
	}
	keeping(t, w, refuse, func(t *testing.T, k *Keeper, log *journal) {
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(w.addrs) != 1 || tries.Load() < 10 || k.shown()[0].putBack != 1 {
			t.Errorf("addresses %v after 10 s and %d tries, shown %+v", w.addrs, tries.Load(), k.shown())
		}
		time.Sleep(100 * time.Second)
		h.updates <- neighbourUp()
		if c := <-k.changes; !c.Up || tries.Load() != 101 {
			t.Errorf("got %+v after %d tries", c, tries.Load())
		}
		if n := strings.Count(log.logged(), unix.ENOBUFS.Error()); n != 1 {
			t.Errorf("an error that stays was logged %d times: %s", n, log.logged())
		}
	})
	if !h.closed {
		t.Error("the subscription was not closed")
	}
}

// A subscription that fails is followed by another one; after messages that were lost or cannot be
// read, the uplinks are checked.
func TestSubscriptionAfterError(t *testing.T) {
	for name, u := range map[string]rtwatch.Update{
		"lost":      {Lost: true},
		"not read":  {Err: errors.New("watch network: message 16: invalid argument")},
		"link":      linkUpdate(unix.IFF_UP | unix.IFF_LOWER_UP),
		"address":   {Address: &netlink.AddrUpdate{LinkAddress: net.IPNet{IP: net.IP{10, 0, 0, 2}}}},
		"none, end": {},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole()
			var all []*fed
			next := func() func() (subscription, error) {
				return func() (subscription, error) { all = append(all, newFed()); return all[len(all)-1], nil }
			}
			keeping(t, w, next, func(t *testing.T, k *Keeper, _ *journal) {
				synctest.Wait()
				w.addrs = nil
				if (u == rtwatch.Update{}) {
					all[0].err = errors.New("watch network: recvmsg: input/output error")
					close(all[0].updates)
				} else {
					all[0].updates <- u
				}
				time.Sleep(3 * time.Second) // the survey comes after 30
				synctest.Wait()
				if len(w.addrs) != 1 {
					t.Error("the address was not put back")
				}
				all[len(all)-1].updates <- neighbourUp()
				synctest.Wait()
				if c := <-k.changes; !c.Up || c.AddressesChanged != (name == "address" || name == "link") {
					t.Errorf("got %+v", c)
				}
			})
			if !all[0].closed {
				t.Error("the first subscription was not closed")
			}
		})
	}
}

// While a request by rtnetlink waits, as it does while a driver resets its NIC, the agent gets the
// changes, a report is written, and the state is stored: no lock is held meanwhile.
func TestKeeperHoldsNoLockDuringRTNL(t *testing.T) {
	w := whole()
	w.addrs = nil
	var h *fed
	setup := func() func() (subscription, error) {
		h, w.block = newFed(), make(chan struct{})
		return func() (subscription, error) { return h, nil }
	}
	keeping(t, w, setup, func(t *testing.T, k *Keeper, _ *journal) {
		renewed := make(chan struct{})
		go func() { defer close(renewed); k.Renewed(0, testUplink().Lease) }()
		time.Sleep(10 * time.Second) // the address is being put back
		synctest.Wait()
		h.updates <- linkUpdate(unix.IFF_UP)
		if c := <-k.changes; !c.CarrierLost {
			t.Errorf("got %+v", c)
		}
		h.updates <- linkUpdate(unix.IFF_UP | unix.IFF_LOWER_UP)
		if c := <-k.changes; !c.Up {
			t.Errorf("got %+v", c)
		}
		if r := k.Report([]Uplink{testUplink()}); !strings.Contains(r, "address 10.0.0.2/24") {
			t.Errorf("report %q", r)
		}
		k.SetSessions(nil)
		k.UpdateState([]Uplink{testUplink()})
		close(w.block)
		<-renewed
	})
}

// The kernel drops messages, in a network namespace, while the agent's changes are not read: an
// address that was removed meanwhile is restored, and a carrier that returned meanwhile is
// reported.
func TestOverflowOfMessages(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNET, func() {
		la := netlink.NewLinkAttrs()
		la.Name = "a0"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: "b0"}); err != nil {
			t.Fatal(err)
		}
		a, b := linkOf(t, "a0"), linkOf(t, "b0")
		u := testUplink()
		u.Index, u.MAC, u.Lease.Interface, u.Lease.Routes = a.Attrs().Index, a.Attrs().HardwareAddr.String(), "a0", nil
		if err := errors.Join(netlink.LinkSetUp(a), (kernelNIC{}).addAddress(u.Index, u.Lease.Address)); err != nil {
			t.Fatal(err)
		}
		watched, lost, hold := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
		k := newKeeper(kernelNIC{}, &journal{}, []Uplink{u}, func() {})
		k.subscribe = func() (subscription, error) {
			w, err := rtwatch.Open(rtwatch.Config{Neighbours: true, Buffer: 1})
			if err != nil {
				return nil, err
			}
			watched <- struct{}{}
			return newSlow(t, w, hold, lost), nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var tasks sync.WaitGroup
		tasks.Go(func() { k.Watch(ctx) })
		tasks.Go(func() { k.Maintain(ctx) })
		defer tasks.Wait()
		defer cancel()
		<-watched
		for i := range 200 {
			if err := netlink.LinkSetAlias(a, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(netlink.LinkSetUp(b), netlink.AddrDel(a, &netlink.Addr{IPNet: rtwatch.IPNet(u.Lease.Address)})); err != nil {
			t.Fatal(err)
		}
		close(hold)
		<-lost
		for c := range k.changes {
			if c.Up {
				break
			}
		}
		for {
			if have, err := ofFamily(u.Index, false); err != nil {
				t.Fatal(err)
			} else if len(have) == 1 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// ofFamily returns an interface's addresses.
func ofFamily(index int, v6 bool) ([]ifaceAddr, error) {
	all, err := (kernelNIC{}).addresses(v6)
	return slices.DeleteFunc(all, func(o ifaceAddr) bool { return o.index != index || o.Addr().IsLinkLocalUnicast() }), err
}

func linkOf(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// slow is a subscription that is read when the test lets it.
type slow struct {
	subscription
	updates chan rtwatch.Update
}

func newSlow(t *testing.T, w subscription, hold <-chan struct{}, lost chan<- struct{}) *slow {
	t.Helper()
	s := &slow{w, make(chan rtwatch.Update)}
	go func() {
		defer close(s.updates)
		<-hold
		for u := range w.Updates() {
			if u.Lost {
				select {
				case lost <- struct{}{}:
				default:
				}
			}
			select {
			case s.updates <- u:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return s
}

func (s *slow) Updates() <-chan rtwatch.Update { return s.updates }

// An address that is added or removed, and a link that becomes a port, are sent as a change; a
// repeated message of the kernel is not.
func TestAddressChangeIsSentOnce(t *testing.T) {
	w := whole()
	k := newKeeper(faked{w}, nil, []Uplink{testUplink()}, nil)
	port := func(kind uint16, master int) rtwatch.Update {
		u := linkUpdate(unix.IFF_UP | unix.IFF_LOWER_UP)
		u.Link.Header.Type, u.Link.Attrs().MasterIndex = kind, master
		return u
	}
	address := func(fresh bool) rtwatch.Update {
		return rtwatch.Update{Address: &netlink.AddrUpdate{LinkIndex: 2, NewAddr: fresh, LinkAddress: net.IPNet{IP: net.IP{10, 0, 0, 2}}}}
	}
	for i, tt := range []struct {
		u           rtwatch.Update
		moved, look bool
	}{
		{port(unix.RTM_NEWLINK, 0), true, true}, // not known before
		{port(unix.RTM_NEWLINK, 0), false, true},
		{port(unix.RTM_NEWLINK, 5), true, true},
		{port(unix.RTM_NEWLINK, 5), false, true},
		{port(unix.RTM_NEWLINK, 0), true, true},
		{port(unix.RTM_DELLINK, 0), false, true},
		{port(unix.RTM_NEWLINK, 0), true, true},
		{address(true), true, true},
		{address(true), false, false}, // a lease that is renewed
		{address(false), true, true},
		{address(false), true, true},
		{address(true), true, true},
		{rtwatch.Update{Lost: true}, false, true},
		{address(true), true, true}, // it may have been removed and added meanwhile
	} {
		k.update(tt.u)
		var c recovery.Change
		select {
		case c = <-k.changes:
		default:
		}
		look := len(k.wake) > 0
		if look {
			<-k.wake
		}
		if c.AddressesChanged != tt.moved || look != tt.look {
			t.Errorf("%d: sent %+v, check due %v", i, c, look)
		}
	}
	if len(k.masters) != 0 { // forgotten with the lost messages
		t.Errorf("masters %v", k.masters)
	}
}

// Changes that were not read are merged into one: a lost carrier is kept until something is up
// after it.
func TestUnreadChangesAreMerged(t *testing.T) {
	moved, up, lost := recovery.Change{AddressesChanged: true}, recovery.Change{Up: true, Downtime: time.Second}, recovery.Change{CarrierLost: true}
	for _, tt := range []struct {
		sent []recovery.Change
		want recovery.Change
	}{
		{[]recovery.Change{moved, up}, recovery.Change{AddressesChanged: true, Up: true, Downtime: time.Second}},
		{[]recovery.Change{lost, moved}, recovery.Change{AddressesChanged: true, CarrierLost: true}},
		{[]recovery.Change{lost, up, moved}, recovery.Change{AddressesChanged: true, Up: true, Downtime: time.Second}},
		{[]recovery.Change{moved, up, lost}, recovery.Change{AddressesChanged: true, Up: true, Downtime: time.Second, CarrierLost: true}},
		{[]recovery.Change{lost, {}}, lost},
	} {
		k := newKeeper(nil, nil, nil, nil)
		for _, c := range tt.sent {
			k.send(c)
		}
		if got := <-k.changes; got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.sent, got, tt.want)
		}
	}
}

package uplink

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Keeper follows the machine's network: it reports changes to the agent, and restores the uplinks.
// Watch reads the kernel's messages and sends no request; Maintain alone sends requests by
// rtnetlink, which wait while a driver resets its NIC under rtnl_lock, so that the agent does not
// wait for that. Both end with their context.
type Keeper struct {
	nic       nic
	log       recovery.Logger
	subscribe func() (subscription, error)
	changes   chan recovery.Change // buffered for one; Watch alone sends
	changed   func()               // called by Maintain, without a lock, after the uplinks have changed
	began     time.Time
	clock     func() time.Duration // of leases
	wake      chan struct{}        // buffered for one: Maintain is to check the uplinks
	reprobe   chan int             // interfaces whose neighbours Maintain is to solicit

	// Of Watch alone:
	away    map[any]time.Duration  // since when a link, by number, or a neighbour, by address, is down
	masters map[int]int            // the master of each link; 0: none
	known   map[addressOf]struct{} // present addresses
	logged  string                 // the last error that was logged

	// Of Maintain alone:
	uplinks []*uplinkState

	mu      sync.Mutex            // guards the rest; no call is made under it
	dark    map[int]string        // the names of interfaces without a carrier, by number
	homes   map[netip.Addr]string // the interface of each address, as of the last check
	reports []uplinkReport
	ways    []session.Way
	uses    sessionUses
	leases  map[int]dhcp.Lease // that were renewed since Maintain's last check, by uplink
}

// subscription is a *rtwatch.Watch.
type subscription interface {
	Updates() <-chan rtwatch.Update
	Err() error
	Close()
}

// subscribe subscribes to changes of this machine's network.
func subscribe() (subscription, error) {
	w, err := rtwatch.Open(rtwatch.Config{Neighbours: true})
	if err != nil {
		return nil, err // not a typed nil
	}
	return w, nil
}

// maxReprobe is how many interfaces may wait for Maintain. More are left to the kernel, which
// solicits once a second.
const maxReprobe = 16

// New returns a keeper that has seen nothing yet, and whose clock runs. changed is called after
// something of the uplinks changed, by the goroutine of Mend.
func New(log recovery.Logger, uplinks []Uplink, changed func()) *Keeper {
	return newKeeper(kernelNIC{}, log, uplinks, changed)
}

func newKeeper(n nic, log recovery.Logger, uplinks []Uplink, changed func()) *Keeper {
	k := &Keeper{
		nic: n, log: log, subscribe: subscribe, changes: make(chan recovery.Change, 1), changed: changed, began: time.Now(), clock: clock.SinceBoot,
		wake: make(chan struct{}, 1), reprobe: make(chan int, maxReprobe), away: map[any]time.Duration{}, masters: map[int]int{}, known: map[addressOf]struct{}{},
		ways: []session.Way{{}}, leases: map[int]dhcp.Lease{}, dark: map[int]string{},
	}
	for _, u := range uplinks {
		k.uplinks = append(k.uplinks, newKept(u))
		k.reports = append(k.reports, uplinkReport{name: u.Lease.Interface, temporary: u.Temporary, uplink: u})
	}
	return k
}

func (k *Keeper) now() time.Duration { return time.Since(k.began) }

// Changes returns a channel of changes to the network; unread ones are merged into one.
func (k *Keeper) Changes() <-chan recovery.Change { return k.changes }

// send sends a change, merged with the unread one. A lost carrier is kept unless something came up
// after it.
func (k *Keeper) send(c recovery.Change) {
	if c == (recovery.Change{}) {
		return
	}
	select {
	case old := <-k.changes:
		c.CarrierLost = c.CarrierLost || old.CarrierLost && !c.Up
		c.Up, c.Downtime, c.AddressesChanged = c.Up || old.Up, max(c.Downtime, old.Downtime), c.AddressesChanged || old.AddressesChanged
	default:
	}
	k.changes <- c // this goroutine alone sends
}

// resubscribePause is the pause between the end of a subscription and the next.
const resubscribePause = time.Second

// Watch reads the kernel's messages until ctx ends. While there is no subscription the uplinks are
// checked each second.
func (k *Keeper) Watch(ctx context.Context) {
	for {
		w, err := k.subscribe()
		k.reset()
		k.wakeMaintain() // changes until now were missed
		if err == nil {
			k.takeUpdates(ctx, w)
			if err = w.Err(); ctx.Err() != nil {
				return
			}
		}
		k.warn(err)
		if clock.Sleep(ctx, resubscribePause) != nil {
			return
		}
	}
}

// warn logs an error of the subscription, unless the last one was the same.
func (k *Keeper) warn(err error) {
	if err == nil || k.logged == err.Error() {
		return
	}
	k.logged = err.Error()
	k.log.Warnf("network: %v: polling once a second", err)
}

// wakeMaintain has Maintain check the uplinks.
func (k *Keeper) wakeMaintain() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// takeUpdates handles updates until there are no more, and closes the subscription.
func (k *Keeper) takeUpdates(ctx context.Context, w subscription) {
	defer w.Close()
	for {
		select {
		case u, open := <-w.Updates():
			if !open {
				return
			}
			k.update(u)
		case <-ctx.Done():
			return
		}
	}
}

// update handles one. After an overflow the uplinks are checked: one of the lost messages may have
// been about them.
func (k *Keeper) update(u rtwatch.Update) {
	soon := u.Lost
	switch {
	case u.Lost:
		k.reset()
	case u.Link != nil:
		soon = k.link(*u.Link)
	case u.Address != nil:
		soon = k.address(*u.Address)
	case u.Neighbour != nil:
		k.neighbour(*u.Neighbour)
	case u.Err != nil:
		k.warn(u.Err)
		soon = true
	}
	if soon {
		k.wakeMaintain()
	}
}

// link handles the state of an interface. Nothing is kept of a removed one: its number is not
// reused.
func (k *Keeper) link(u netlink.LinkUpdate) bool {
	index := u.Attrs().Index
	carrier := u.Header.Type == unix.RTM_NEWLINK && u.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
	_, away := k.away[index]
	c := k.track(index, carrier)
	c.CarrierLost = !away && !carrier
	master, known := k.masters[index]
	c.AddressesChanged = u.Attrs().MasterIndex != master || !known && u.Header.Type == unix.RTM_NEWLINK
	k.masters[index] = u.Attrs().MasterIndex
	k.noteCarrier(index, u.Attrs().Name, carrier)
	k.send(c)
	if away && carrier {
		select {
		case k.reprobe <- index:
		default:
		}
	}
	if u.Header.Type == unix.RTM_DELLINK {
		delete(k.away, index)
		delete(k.masters, index)
	}
	return true
}

// addressOf is an address of an interface.
type addressOf struct {
	index int
	ip    string
}

// maxKnown limits how many addresses are stored.
const maxKnown = 1024

// address handles an added or removed address. A refresh, as a DHCP client and a router
// advertisement cause, is not a change.
func (k *Keeper) address(u netlink.AddrUpdate) bool {
	c := k.track(u.LinkAddress.IP.String()+"/address", u.NewAddr)
	at := addressOf{u.LinkIndex, string(u.LinkAddress.IP)}
	_, known := k.known[at]
	switch {
	case !u.NewAddr:
		delete(k.known, at)
	case !known && len(k.known) < maxKnown:
		k.known[at] = struct{}{}
	}
	c.AddressesChanged = !known || !u.NewAddr
	k.send(c)
	return c.AddressesChanged
}

// reset clears what may have changed in lost messages.
func (k *Keeper) reset() {
	clear(k.masters)
	clear(k.known)
}

// neighbour handles the state of a neighbour. One that is solicited is down until it answers.
func (k *Keeper) neighbour(u netlink.NeighUpdate) {
	switch {
	case u.Type == unix.RTM_DELNEIGH || u.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) != 0:
		k.send(k.track(u.IP.String(), false))
	case u.State&netlink.NUD_REACHABLE != 0:
		k.send(k.track(u.IP.String(), true))
	}
}

// maxAway limits how many neighbours are stored as down: many machines of a network may not answer.
// Interfaces are always stored.
const maxAway = 256

// track records that something is up or down, and returns that as a change for the agent.
func (k *Keeper) track(what any, there bool) recovery.Change {
	since, known := k.away[what]
	_, link := what.(int)
	switch {
	case !there && !known && (link || len(k.away) < maxAway):
		k.away[what] = k.now()
	case there && known:
		delete(k.away, what)
		return recovery.Change{Up: true, Downtime: k.now() - since}
	case there:
		return recovery.Change{Up: true}
	}
	return recovery.Change{}
}

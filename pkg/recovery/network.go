package recovery

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/rtwatch"
)

// keeper follows the machine's network: it tells the agent what came up, and
// keeps the uplinks. hear reads the kernel's messages and asks the kernel
// nothing; mend alone sends requests by rtnetlink, which wait while a driver
// resets its NIC under rtnl_lock. So what the agent waits for does not wait for
// that. Both end with their context.
type keeper struct {
	nic       nic
	log       Logger
	subscribe func() (subscription, error)
	changes   chan Change // of one place; hear alone sends
	changed   func()      // after something of the uplinks changed; mend calls it, without a lock
	began     time.Time
	wake      chan struct{} // of one place: mend is to look after the uplinks
	ask       chan int      // interfaces whose neighbours mend is to ask for

	// Of hear alone:
	away map[any]time.Duration // since when a link, by number, or a neighbour, by address, is away
	said string                // the last error that was logged

	// Of mend alone:
	uplinks []*kept

	mu   sync.Mutex // guards seen; no call is made under it
	seen []seen
}

// subscription is a *rtwatch.Watch.
type subscription interface {
	Updates() <-chan rtwatch.Update
	Err() error
	Close()
}

// subscribe watches the network of this machine.
func subscribe() (subscription, error) {
	w, err := rtwatch.Open(rtwatch.Config{Neighbours: true})
	if err != nil {
		return nil, err // not a typed nil
	}
	return w, nil
}

// maxAsk is how many interfaces may wait to be asked about. More than these are
// left to the kernel, which asks once a second.
const maxAsk = 16

func newKeeper(n nic, log Logger, uplinks []Uplink, changed func()) *keeper {
	k := &keeper{
		nic: n, log: log, subscribe: subscribe, changes: make(chan Change, 1), changed: changed, began: time.Now(),
		wake: make(chan struct{}, 1), ask: make(chan int, maxAsk), away: map[any]time.Duration{},
	}
	for _, u := range uplinks {
		k.uplinks = append(k.uplinks, newKept(u))
	}
	k.publish()
	return k
}

func (k *keeper) now() time.Duration { return time.Since(k.began) }

// tell passes on what happened, together with what nothing has read yet. A
// carrier that went counts if nothing came after it.
func (k *keeper) tell(c Change) {
	select {
	case old := <-k.changes:
		c.Up, c.Away = c.Up || old.Up, max(c.Away, old.Away)
	default:
	}
	k.changes <- c // this goroutine alone sends
}

// hearAgain is the pause between the end of a subscription and the next.
const hearAgain = time.Second

// hear reads the kernel's messages until ctx ends. While there is no
// subscription the uplinks are looked after each second.
func (k *keeper) hear(ctx context.Context) {
	for {
		w, err := k.subscribe()
		k.look() // what changed until now was not heard
		if err == nil {
			k.follows(ctx, w)
			if err = w.Err(); ctx.Err() != nil {
				return
			}
		}
		k.warn(err)
		if !pause(ctx, hearAgain) {
			return
		}
	}
}

// warn logs an error of the watch, unless it was the last one too.
func (k *keeper) warn(err error) {
	if err == nil || k.said == err.Error() {
		return
	}
	k.said = err.Error()
	k.log.Warnf("network: %v: looking once a second meanwhile", err)
}

// look has mend look after the uplinks.
func (k *keeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// follows takes updates in until there are no more, and closes the subscription.
func (k *keeper) follows(ctx context.Context, w subscription) {
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

// update takes one in. After an overflow the uplinks are looked after: one of
// the lost messages may have been about them.
func (k *keeper) update(u rtwatch.Update) {
	soon := u.Lost
	switch {
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
		k.look()
	}
}

// mend looks after the uplinks when it is time to, until ctx ends.
func (k *keeper) mend(ctx context.Context) {
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-k.wake:
			look.Reset(k.check())
		case <-look.C:
			look.Reset(k.check())
		case index := <-k.ask:
			k.askAgain(index)
		case <-ctx.Done():
			return
		}
	}
}

// check looks after all uplinks.
func (k *keeper) check() time.Duration {
	next := surveyEvery
	for _, u := range k.uplinks {
		next = min(next, u.check(k.now(), k.nic, k.log))
	}
	k.publish()
	k.changed()
	return next
}

// link takes in the state of an interface. Of one that is no more nothing is
// kept: its number does not come again.
func (k *keeper) link(u netlink.LinkUpdate) bool {
	index := u.Attrs().Index
	carrier := u.Header.Type == unix.RTM_NEWLINK && u.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
	_, away := k.away[index]
	if !away && !carrier {
		k.tell(Change{Lost: true})
	}
	k.follow(index, carrier)
	if away && carrier {
		select {
		case k.ask <- index:
		default:
		}
	}
	if u.Header.Type == unix.RTM_DELLINK {
		delete(k.away, index)
	}
	return true
}

// askAgain sees to it that a neighbour behind an uplink is asked for at once.
// Without a carrier none answered, and the kernel asks once a second
// (net/core/neighbour.c: neigh_timer_handler): a new connection would wait for
// the next time.
func (k *keeper) askAgain(index int) {
	if !slices.ContainsFunc(k.uplinks, func(u *kept) bool { return u.Index == index }) {
		return
	}
	if err := k.nic.askAgain(index); err != nil {
		k.log.Warnf("network: neighbours of interface %d: %v", index, err)
	}
}

// address takes in that an address came or went. That one is confirmed, as a
// DHCP client does, is no news.
func (k *keeper) address(u netlink.AddrUpdate) bool {
	k.follow(u.LinkAddress.IP.String()+"/address", u.NewAddr)
	return !u.NewAddr
}

// neighbour takes in the state of another machine on the network. One that is
// asked for is away until it answers.
func (k *keeper) neighbour(u netlink.NeighUpdate) {
	switch {
	case u.Type == unix.RTM_DELNEIGH || u.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) != 0:
		k.follow(u.IP.String(), false)
	case u.State&netlink.NUD_REACHABLE != 0:
		k.follow(u.IP.String(), true)
	}
}

// maxAway bounds what is remembered as away: a network can hold many machines
// that do not answer. An interface has its place beyond that.
const maxAway = 256

// follow notes that something is there or away, and tells the agent.
func (k *keeper) follow(what any, there bool) {
	since, known := k.away[what]
	_, link := what.(int)
	switch {
	case !there && !known && (link || len(k.away) < maxAway):
		k.away[what] = k.now()
	case there && known:
		delete(k.away, what)
		k.tell(Change{Up: true, Away: k.now() - since})
	case there:
		k.tell(Change{Up: true})
	}
}

// seen is what a report says of an uplink.
type seen struct {
	name       string
	gone, lost bool
	putBack    int
}

// publish shows how the uplinks are.
func (k *keeper) publish() {
	var all []seen
	for _, u := range k.uplinks {
		all = append(all, seen{u.name, u.gone, u.lost >= 0, u.putBack})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = all
}

// shown returns how the uplinks are, as of the last look.
func (k *keeper) shown() []seen {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen // never written to once it is shown
}

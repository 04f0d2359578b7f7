package recovery

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// keeper follows the machine's network: it tells the agent what came up, and
// keeps the uplinks.
type keeper struct {
	nic     nic
	log     Logger
	changes chan Change
	changed func() // after something of the uplinks changed
	began   time.Time
	away    map[any]time.Duration // since when a link, by number, or a neighbour, by address, is away

	mu      sync.Mutex // guards uplinks
	uplinks []*kept
}

func newKeeper(n nic, log Logger, uplinks []Uplink, changed func()) *keeper {
	k := &keeper{nic: n, log: log, changes: make(chan Change, 1), changed: changed, began: time.Now(), away: map[any]time.Duration{}}
	for _, u := range uplinks {
		k.uplinks = append(k.uplinks, newKept(u))
	}
	return k
}

func (k *keeper) now() time.Duration { return time.Since(k.began) }

// tell passes on what happened, together with what nobody has heard of yet. A
// carrier that went counts if nothing came after it.
func (k *keeper) tell(c Change) {
	select {
	case old := <-k.changes:
		c.Up, c.Away = c.Up || old.Up, max(c.Away, old.Away)
	default:
	}
	k.changes <- c // this goroutine alone sends
}

// watch subscribes to the kernel's news and works in a goroutine of its own for
// as long as the process lives.
func (k *keeper) watch() error {
	n, err := subscribe()
	if err != nil {
		return err
	}
	go func() {
		for {
			if err == nil {
				k.follows(n)
			}
			time.Sleep(time.Second) // the kernel had more to tell than there was room for
			n, err = subscribe()
		}
	}()
	return nil
}

// news is what the kernel tells of the network. Each channel is closed when
// something of it was lost.
type news struct {
	links      chan netlink.LinkUpdate
	addrs      chan netlink.AddrUpdate
	neighbours chan netlink.NeighUpdate
	done       chan struct{}
}

func subscribe() (news, error) {
	n := news{
		links: make(chan netlink.LinkUpdate, 16), addrs: make(chan netlink.AddrUpdate, 16),
		neighbours: make(chan netlink.NeighUpdate, 16), done: make(chan struct{}),
	}
	err := netlink.LinkSubscribe(n.links, n.done)
	if err == nil {
		err = netlink.AddrSubscribe(n.addrs, n.done)
	}
	if err == nil {
		err = netlink.NeighSubscribe(n.neighbours, n.done)
	}
	if err != nil {
		close(n.done)
		return n, fmt.Errorf("subscribe to the network's news: %w", err)
	}
	return n, nil
}

// follows takes news in until some are lost. It looks after the uplinks first:
// what changed while nobody listened is found so.
func (k *keeper) follows(n news) {
	defer close(n.done)
	look := time.NewTimer(0)
	defer look.Stop()
	for open, soon := true, false; ; soon = false {
		select {
		case u, ok := <-n.links:
			if open = ok; ok {
				soon = k.link(u)
			}
		case u, ok := <-n.addrs:
			if open = ok; ok {
				soon = k.address(u)
			}
		case u, ok := <-n.neighbours:
			if open = ok; ok {
				k.neighbour(u)
			}
		case <-look.C:
			soon = true
		}
		if !open {
			return
		}
		if soon {
			look.Reset(k.check())
		}
	}
}

// check looks after all uplinks.
func (k *keeper) check() time.Duration {
	next := surveyEvery
	k.mu.Lock()
	for _, u := range k.uplinks {
		next = min(next, u.check(k.now(), k.nic, k.log))
	}
	k.mu.Unlock()
	k.changed()
	return next
}

// link takes in the state of an interface. Of one that is no more nothing is
// kept: its number does not come again.
func (k *keeper) link(u netlink.LinkUpdate) bool {
	carrier := u.Header.Type == unix.RTM_NEWLINK && u.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
	_, away := k.away[u.Attrs().Index]
	switch {
	case away && carrier:
		k.askAgain(u.Attrs().Index)
	case !away && !carrier:
		k.tell(Change{Lost: true})
	}
	k.follow(u.Attrs().Index, carrier)
	if u.Header.Type == unix.RTM_DELLINK {
		delete(k.away, u.Attrs().Index)
	}
	return true
}

// askAgain sees to it that a neighbour behind an uplink is asked for at once.
// Without a carrier nobody answered, and the kernel asks once a second
// (net/core/neighbour.c: neigh_timer_handler): a new connection would wait for
// the next time.
func (k *keeper) askAgain(index int) {
	k.mu.Lock()
	ours := slices.ContainsFunc(k.uplinks, func(u *kept) bool { return u.Index == index })
	k.mu.Unlock()
	if !ours {
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

// follow notes that something is there or away, and tells who waits for it.
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

// interfaceNow is the name of an uplink's interface, and whether somebody else
// keeps its address, or gave it another one. Who renews a lease gives the
// address its lifetime and never lets less than an eighth be left (RFC 2131
// section 4.4.5, T2).
func (k *keeper) interfaceNow(u Uplink) (name string, mac net.HardwareAddr, others bool) {
	l, ok := k.nic.find(u)
	if !ok {
		return "", nil, false
	}
	mac, _ = net.ParseMAC(u.MAC)
	have, err := k.nic.addresses(l.index, u.Lease.Address.Addr().Is6())
	for _, a := range have {
		if a.Addr() == u.Lease.Address.Addr() {
			return l.name, mac, a.left != dhcp.Infinite && a.left > u.Lease.Lifetime/8
		}
	}
	return l.name, mac, err == nil && len(have) > 0
}

// forever takes the end from the lifetime of a leased address: somebody who
// renews no more may have given it one.
func (k *keeper) forever(u Uplink) {
	if l, ok := k.nic.find(u); ok {
		if err := k.nic.addAddress(l.index, u.Lease.Address); err != nil {
			k.log.Warnf("network: keep %s: %v", u.Lease.Address, err)
		}
	}
}

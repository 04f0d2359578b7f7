package uplink

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// wires is a kernel with interfaces, which records what is done to them. Of the embedded one, index
// 2, the tests change any field; others hold the rest.
type wires struct {
	mu sync.Mutex
	link
	there  bool
	others []link
	addrs  []ifaceAddr
	routes map[string]int // interfaces, by network
	did    []string
	fail   error
	stuck  error         // of moving routes
	blind  bool          // addresses are not shown
	client bool          // a process manages the address
	block  chan struct{} // not nil: adding an address waits for it
}

// faked makes a *wires a nic: the embedded link has the method's name.
type faked struct{ *wires }

// locked takes the kernel's lock for one request.
func (w *wires) locked() func() { w.mu.Lock(); return w.mu.Unlock }

func (w faked) links() ([]link, error) {
	defer w.locked()()
	all := slices.Clone(w.others)
	if w.there {
		all = append(all, w.wires.link)
	}
	return all, nil
}

func (w faked) link(index int) (link, bool) {
	all, _ := w.links()
	i := slices.IndexFunc(all, func(l link) bool { return l.index == index })
	if i < 0 {
		return link{}, false
	}
	return all[i], true
}

func (w *wires) addresses(v6 bool) ([]ifaceAddr, error) {
	defer w.locked()()
	if w.blind {
		return nil, fmt.Errorf("not now")
	}
	var out []ifaceAddr
	for _, o := range w.addrs {
		if o.Addr().Is6() == v6 {
			out = append(out, o)
		}
	}
	return out, nil
}

func (w *wires) hasRoute(to netip.Prefix, _ int) bool {
	defer w.locked()()
	return w.routes[to.String()] != 0
}

func (w *wires) note(format string, args ...any) error {
	w.did = append(w.did, fmt.Sprintf(format, args...))
	return w.fail
}

// took returns what was done since the last call.
func (w *wires) took() string {
	defer w.locked()()
	did := strings.Join(w.did, ", ")
	w.did = nil
	return did
}

func (w *wires) reprobeNeighbours(index int) error {
	defer w.locked()()
	return w.note("solicit %d", index)
}

func (w *wires) dhcpClient(int, netip.Addr) bool { defer w.locked()(); return w.client }

func (w *wires) setUp(index int) error {
	defer w.locked()()
	w.up = w.up || index == w.index
	for i := range w.others {
		w.others[i].up = w.others[i].up || index == w.others[i].index
	}
	return w.note("up %d", index)
}

func (w *wires) addRoute(index int, r dhcp.Route, table int) error {
	defer w.locked()()
	w.routes[r.To.String()] = index
	if table != 0 {
		return w.note("route %v by %d in %d", r, index, table)
	}
	return w.note("route %v by %d", r, index)
}

func (w *wires) removeRoute(index int, r dhcp.Route, _ int) error {
	defer w.locked()()
	delete(w.routes, r.To.String())
	return w.note("no route %v by %d", r, index)
}

func (w *wires) moveRoutes(from, to int, _ bool) error {
	defer w.locked()()
	for r, at := range w.routes {
		if at == from {
			w.routes[r] = to
		}
	}
	return errors.Join(w.stuck, w.note("routes %d to %d", from, to))
}

func (w *wires) addAddress(index int, p netip.Prefix) error {
	if w.block != nil {
		<-w.block
	}
	defer w.locked()()
	if w.fail == nil {
		w.addrs = append(w.addrs, ifaceAddr{p, dhcp.Infinite, index})
	}
	return w.note("address %v on %d", p, index)
}

func (w *wires) removeAddress(index int, p netip.Prefix) error {
	defer w.locked()()
	w.addrs = slices.DeleteFunc(w.addrs, func(o ifaceAddr) bool { return o.index == index && o.Prefix == p })
	return w.note("no address %v on %d", p, index)
}

// an is an address of an interface.
func an(prefix string, index int) ifaceAddr {
	return ifaceAddr{netip.MustParsePrefix(prefix), dhcp.Infinite, index}
}

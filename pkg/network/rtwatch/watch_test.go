package rtwatch

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

// TestMain runs the tests away from the host.
func TestMain(m *testing.M) { nstest.Main(m) }

// inNamespace runs f in a process with a network namespace of its own.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	nstest.Run(t, syscall.CLONE_NEWNET, f)
}

func watchOf(t *testing.T, cfg Config) *Watch {
	t.Helper()
	w, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func veth(t *testing.T, name string) netlink.Link {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name = name
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: name + "p"}); err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// flood has the kernel send n messages about a link: it does so for one that is up (net/core/dev.c:
// netdev_state_change).
func flood(t *testing.T, link netlink.Link, n int) {
	t.Helper()
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := netlink.LinkSetAlias(link, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// until reads updates until one is wanted.
func until(t *testing.T, w *Watch, what string, wanted func(Update) bool) {
	t.Helper()
	for u := range w.Updates() {
		if u.Err != nil {
			t.Error(u.Err)
		}
		if wanted(u) {
			return
		}
	}
	t.Fatalf("no %s: %v", what, w.Err())
}

func linkIs(name string) func(Update) bool {
	return func(u Update) bool { return u.Link != nil && u.Link.Attrs().Name == name }
}

func TestWatch(t *testing.T) {
	inNamespace(t, func() {
		there := veth(t, "old0")
		w := watchOf(t, Config{Links: true, Neighbours: true})
		other := watchOf(t, Config{Links: true})
		until(t, w, "link that was there", linkIs("old0"))
		until(t, other, "link that was there", linkIs("old0"))
		veth(t, "new0")
		until(t, w, "new link", linkIs("new0"))
		addr, err := netlink.ParseAddr("10.0.0.2/24")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.AddrAdd(there, addr); err != nil {
			t.Fatal(err)
		}
		until(t, w, "address", func(u Update) bool { return u.Address != nil && u.Address.LinkAddress.String() == "10.0.0.2/24" })
		if err := netlink.LinkSetUp(there); err != nil {
			t.Fatal(err)
		}
		neigh := &netlink.Neigh{LinkIndex: there.Attrs().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_REACHABLE, IP: []byte{10, 0, 0, 9}, HardwareAddr: []byte{2, 0, 0, 0, 0, 1}}
		if err := netlink.NeighAdd(neigh); err != nil {
			t.Fatal(err)
		}
		until(t, w, "neighbour", func(u Update) bool { return u.Neighbour != nil && u.Neighbour.IP.String() == "10.0.0.9" })
		w.Close()
		w.Close()
		if err := w.Err(); err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestOverflow has the kernel send more than the socket holds while the reader does not read:
// messages are lost for real.
func TestOverflow(t *testing.T) {
	inNamespace(t, func() {
		w := watchOf(t, Config{Buffer: 1}) // the kernel's minimum
		flood(t, veth(t, "a0"), 200)
		veth(t, "b0") // its message is lost
		until(t, w, "overflow", func(u Update) bool { return u.Lost })
		until(t, w, "link made during the overflow", linkIs("b0"))
		veth(t, "c0")
		until(t, w, "link made later", linkIs("c0"))
	})
}

// TestCloseLeaksNothing ends watches whose reader does not read.
func TestCloseLeaksNothing(t *testing.T) {
	inNamespace(t, func() {
		files := func() int {
			entries, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			return len(entries)
		}
		link := veth(t, "a0")
		watchOf(t, Config{Links: true}).Close() // the descriptors that the first one opens permanently
		filesBefore, before := files(), runtime.NumGoroutine()
		for range 20 {
			w := watchOf(t, Config{Links: true, Neighbours: true})
			flood(t, link, 40) // more than Updates holds
			w.Close()
		}
		for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) { // a goroutine that has closed its channel is about to end
			if time.Now().After(end) {
				t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
			}
		}
		if n := files(); n > filesBefore {
			t.Errorf("%d files, %d before", n, filesBefore)
		}
	})
}

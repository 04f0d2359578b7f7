package network

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp6"
)

// State is what the first line that is not up waits for.
type State struct {
	Want  string   // the interface asked for; empty: any
	MAC   string   // the one asked for, if it is known by its MAC
	Parts []string // NICs that it is to be made of, if it is none itself
	Links []Link   // candidates, in the kernel's order
	Other []string
	// Waits is what is waited for on a link with carrier, in words.
	Waits string
	// Leased: a server or a router is to answer. Asked: a neighbour is, to tell
	// which NIC it is.
	Leased, Asked bool
	// Busy are links whose drivers do not let us have them yet, and Loading are
	// drivers that are still being loaded; both only where Links is empty.
	Busy, Loading []string
	// Lasting: that will not be otherwise by waiting.
	Lasting bool
}

// Link is a candidate.
type Link struct {
	Name    string
	Carrier bool
}

// String says what is missing, in words.
func (s State) String() string {
	var dark []string
	for _, l := range s.Links {
		if !l.Carrier {
			dark = append(dark, l.Name)
		}
	}
	switch {
	case s.Waits != "":
		return s.Waits
	case len(dark) > 0:
		return "no link on " + strings.Join(dark, ", ") + ": check cable and switch port"
	case len(s.Links) > 0:
		return s.Links[0].Name + ": waiting for its address"
	case len(s.Loading) > 0 || len(s.Busy) > 0:
		return s.notYet()
	case s.MAC != "":
		return fmt.Sprintf("no interface with MAC %s, there is %s: correct BOOTIF= or ip=, or add its driver to the image", s.MAC, orNone(s.Other))
	case len(s.Parts) > 0:
		return fmt.Sprintf("no interface %s, because it is to be made of %s and there is %s: correct vlan=, bond= or bridge=, or add the driver to the image",
			s.Want, strings.Join(s.Parts, ", "), orNone(s.Other))
	case s.Want != "":
		return fmt.Sprintf("no interface %s, there is %s: correct iscsi_if=, or add its driver to the image", s.Want, orNone(s.Other))
	}
	return "no network interface: add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)"
}

// notYet says what an interface is waited for.
func (s State) notYet() string {
	what := "network interface"
	switch {
	case s.MAC != "":
		what = "interface with MAC " + s.MAC
	case s.Want != "":
		what = "interface " + s.Want
	}
	switch {
	case len(s.Loading) == 1:
		return fmt.Sprintf("no %s yet: driver %s is still loading", what, s.Loading[0])
	case len(s.Loading) > 1:
		return fmt.Sprintf("no %s yet: drivers %s are still loading", what, strings.Join(s.Loading, ", "))
	}
	return fmt.Sprintf("no %s yet: the driver of %s is not ready", what, strings.Join(s.Busy, ", "))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// WaitError says what the network still lacked when the time was over.
type WaitError struct {
	State State
	Err   error // the context's error
}

// Error implements error.
func (e *WaitError) Error() string { return "network: " + e.State.String() }

// Unwrap returns why waiting ended.
func (e *WaitError) Unwrap() error { return e.Err }

// Retryable tells whether more time could help: a cable can be plugged in, a server
// started, a driver come to its end.
func (e *WaitError) Retryable() bool {
	if len(e.State.Links) == 0 {
		return len(e.State.Busy) > 0 || len(e.State.Loading) > 0
	}
	return !e.State.Lasting
}

// Hint tells what to look at where no answer comes.
func (e *WaitError) Hint() string {
	if e.State.Asked {
		return "is it up, and a cable of this machine in its network? iscsi_if=NIC, or the NIC in ip=, takes a NIC without asking"
	}
	if e.State.Leased && e.State.Waits != "" {
		return "check that this NIC is in the right network and that its DHCP server serves this machine; ip=NIC:dhcp names the NIC, iscsi_i_ip=ADDRESS/MASK needs no server"
	}
	return ""
}

// others are the names of links that no line wants, in the kernel's order.
func (n *Network) others() []string {
	var out []string
	for _, index := range slices.Sorted(maps.Keys(n.other)) {
		out = append(out, n.other[index])
	}
	return out
}

// state tells of the first line that is not up; mu is not held.
func (n *Network) state() State {
	for _, ln := range n.lines {
		if ln.up {
			continue
		}
		s := State{
			Want: ln.Device, MAC: ln.MAC, Parts: n.cfg.Net.Parts(ln.Device), Other: n.others(),
			Waits: ln.waits, Leased: ln.Leased(), Lasting: ln.lasting,
		}
		if text := n.unanswered(ln); text != "" && s.Waits == "" {
			s.Waits, s.Asked = text, true
		}
		for _, l := range n.links {
			if n.wants(ln, l.Link) {
				s.Links = append(s.Links, Link{l.name, l.carrier})
				if l.trouble != "" && s.Waits == "" {
					s.Waits = l.trouble
				}
			}
		}
		return s
	}
	if n.cfg.WantRootPath {
		return n.withoutRootPath()
	}
	return State{}
}

// withoutRootPath tells of the links that may still have a server that names the
// target.
func (n *Network) withoutRootPath() (s State) {
	for _, ln := range n.lines {
		for _, l := range n.links {
			if ln.all() && !ln.has(l) && n.wants(ln, l.Link) {
				s.Links = append(s.Links, Link{l.name, l.carrier})
			}
		}
	}
	n.mu.Lock() // Pin writes the leases' routes
	leases := n.present()
	n.mu.Unlock()
	if len(leases) > 0 && leases[0].RootPath == "" && len(s.Links) > 0 {
		s.Waits, s.Leased = fmt.Sprintf("%s: no root path from %s: waiting for %s", leases[0].Interface, leases[0].Server, s.Links[0].Name), true
	}
	return s
}

// missing adds to what is waited for why a link may still come.
func (n *Network) missing(s State, busy []string) State {
	if len(s.Links) > 0 {
		return s
	}
	if s.Busy = busy; n.cfg.Loading != nil {
		s.Loading = n.cfg.Loading()
	}
	return s
}

// busyLinks are those whose work has not come to its end, sorted.
func (n *Network) busyLinks() []string {
	var out []string
	for _, w := range n.working {
		out = append(out, w.link)
	}
	slices.Sort(out)
	return out
}

// lasting tells whether an error is none that waiting could help against.
func lasting(err error) bool {
	var duplicate *dhcp6.DuplicateError
	return !errors.As(err, &duplicate)
}

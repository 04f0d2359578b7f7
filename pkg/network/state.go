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
	Interface string   // the interface that the line names; empty: any
	MAC       string   // the MAC that the line names, if any
	Parts     []string // NICs that the interface is built on, if it is a VLAN, bond or bridge
	Links     []Link   // candidates, in the kernel's order
	Other     []string
	// Waiting describes what is waited for on a link with carrier.
	Waiting string
	// ForServer: the answer of a server or router is awaited. ForNeighbour: that of a
	// neighbour, which shows which NIC is the right one.
	ForServer, ForNeighbour bool
	// Busy are links whose drivers are not ready, and Loading are drivers that are still being
	// loaded; both are set only if Links is empty.
	Busy, Loading []string
	// Permanent: waiting cannot change that.
	Permanent bool
}

// Link is a candidate.
type Link struct {
	Name    string
	Carrier bool
}

// String describes what is missing.
func (s State) String() string {
	var dark []string
	for _, l := range s.Links {
		if !l.Carrier {
			dark = append(dark, l.Name)
		}
	}
	switch {
	case s.Waiting != "":
		return s.Waiting
	case len(dark) > 0:
		return "no link on " + strings.Join(dark, ", ") + ": check cable and switch port"
	case len(s.Links) > 0:
		return s.Links[0].Name + ": waiting for its address"
	case len(s.Loading) > 0 || len(s.Busy) > 0:
		return s.notYet()
	case len(s.Other) == 0, s.MAC == "" && s.Interface == "": // or none that can be used yet
		return s.noNIC()
	case s.MAC != "":
		return fmt.Sprintf("no interface with MAC %s, there is %s: correct BOOTIF= or ip=, or add its driver to the image", s.MAC, strings.Join(s.Other, ", "))
	case len(s.Parts) > 0:
		return fmt.Sprintf("no interface %s, because it is to be made of %s and there is %s: correct vlan=, bond= or bridge=, or add the driver to the image",
			s.Interface, strings.Join(s.Parts, ", "), strings.Join(s.Other, ", "))
	}
	return fmt.Sprintf("no interface %s, there is %s: correct iscsi_if=, or add its driver to the image", s.Interface, strings.Join(s.Other, ", "))
}

// noNIC describes a machine without any interface: then the parameters are not what is wrong.
func (s State) noNIC() string {
	text := "no network interface"
	switch {
	case s.MAC != "":
		text += ", and so none with MAC " + s.MAC
	case s.Interface != "":
		text += ", and so not " + s.Interface
	}
	return text + ": add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)"
}

// notYet describes which interface is waited for, and for which driver.
func (s State) notYet() string {
	what := "network interface"
	switch {
	case s.MAC != "":
		what = "interface with MAC " + s.MAC
	case s.Interface != "":
		what = "interface " + s.Interface
	}
	switch {
	case len(s.Loading) == 1:
		return fmt.Sprintf("no %s yet: driver %s is still loading", what, s.Loading[0])
	case len(s.Loading) > 1:
		return fmt.Sprintf("no %s yet: drivers %s are still loading", what, strings.Join(s.Loading, ", "))
	}
	return fmt.Sprintf("no %s yet: the driver of %s is not ready", what, strings.Join(s.Busy, ", "))
}

// WaitError describes what was still missing when the time limit had passed.
type WaitError struct {
	State State
	Err   error // the context's error
}

// Error implements error.
func (e *WaitError) Error() string { return "network: " + e.State.String() }

// Unwrap returns why waiting ended.
func (e *WaitError) Unwrap() error { return e.Err }

// Retryable reports whether more time could help: a cable can be plugged in, a server started, a
// driver loaded.
func (e *WaitError) Retryable() bool {
	if len(e.State.Links) == 0 {
		return len(e.State.Busy) > 0 || len(e.State.Loading) > 0
	}
	return !e.State.Permanent
}

// Hint returns what to check if no answer was received.
func (e *WaitError) Hint() string {
	if e.State.ForNeighbour {
		return "check that it is up and that a cable connects this machine to its network; iscsi_if=NIC, or the NIC in ip=, selects a NIC without this check"
	}
	if e.State.ForServer && e.State.Waiting != "" {
		return "check that this NIC is in the right network and that its DHCP server serves this machine; ip=NIC:dhcp names the NIC, iscsi_i_ip=ADDRESS/MASK needs no server"
	}
	return ""
}

// unusedNames returns the names of links that match no line, in the kernel's order.
func (n *Network) unusedNames() []string {
	var out []string
	for _, index := range slices.Sorted(maps.Keys(n.unused)) {
		out = append(out, n.unused[index])
	}
	return out
}

// state returns the State of the first line that is not up. The caller does not hold mu.
func (n *Network) state() State {
	for _, ln := range n.lines {
		if ln.up {
			continue
		}
		s := State{
			Interface: ln.Device, MAC: ln.MAC, Parts: n.cfg.Net.LowerNICs(ln.Device), Other: n.unusedNames(),
			Waiting: ln.waiting, ForServer: ln.Leased(), Permanent: ln.permanent,
		}
		if text := n.silentNeighbours(ln); text != "" && s.Waiting == "" {
			s.Waiting, s.ForNeighbour = text, true
		}
		for _, l := range n.links {
			if n.matches(ln, l.Link) {
				s.Links = append(s.Links, Link{l.name, l.carrier})
				if l.upError != "" && s.Waiting == "" {
					s.Waiting = l.upError
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

// withoutRootPath returns a State with the links that may still reach a server that supplies a root
// path.
func (n *Network) withoutRootPath() (s State) {
	for _, ln := range n.lines {
		for _, l := range n.links {
			if ln.everyNIC() && !ln.has(l) && n.matches(ln, l.Link) {
				s.Links = append(s.Links, Link{l.name, l.carrier})
			}
		}
	}
	n.mu.Lock() // Pin writes the leases' routes
	leases := n.present()
	n.mu.Unlock()
	if len(leases) > 0 && leases[0].RootPath == "" && len(s.Links) > 0 {
		s.Waiting, s.ForServer = fmt.Sprintf("%s: no root path from %s: waiting for %s", leases[0].Interface, leases[0].Server, s.Links[0].Name), true
	}
	return s
}

// withBusy adds to a State without links the reasons for which one may still appear.
func (n *Network) withBusy(s State, busy []string) State {
	if len(s.Links) > 0 {
		return s
	}
	if s.Busy = busy; n.cfg.Loading != nil {
		s.Loading = n.cfg.Loading()
	}
	return s
}

// busyLinks returns the names of the links that are being prepared, sorted.
func (n *Network) busyLinks() []string {
	var out []string
	for _, w := range n.preparing {
		out = append(out, w.link)
	}
	slices.Sort(out)
	return out
}

// isPermanent reports whether waiting cannot help against an error.
func isPermanent(err error) bool {
	var duplicate *dhcp6.DuplicateError
	return !errors.As(err, &duplicate)
}

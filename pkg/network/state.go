package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// State is what is known of the machine's links.
type State struct {
	Want  string // the interface asked for; empty: any
	MAC   string // the one asked for, if it is known by its MAC
	Links []Link // candidates, in the kernel's order
	Other []string
}

// Link is a candidate.
type Link struct {
	Name    string
	Index   int
	Up      bool // administratively
	Carrier bool
}

// String says what is missing, in words.
func (s State) String() string {
	var names []string
	for _, l := range s.Links {
		names = append(names, l.Name)
	}
	switch {
	case len(names) > 0:
		return "no link on " + strings.Join(names, ", ") + ": check cable and switch port"
	case s.MAC != "":
		return fmt.Sprintf("no interface with MAC %s, there is %s: correct BOOTIF= or ip=, or add its driver to the image", s.MAC, orNone(s.Other))
	case s.Want != "":
		return fmt.Sprintf("no interface %s, there is %s: correct iscsi_if=, or add its driver to the image", s.Want, orNone(s.Other))
	}
	return "no network interface: add the driver of this machine's NIC to the image (iscsiroot build --nic DRIVER)"
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// state follows link messages; up is a seam for tests.
type state struct {
	State
	sys string
	up  func(netlink.Link) error
}

func newState(cfg Config) *state {
	return &state{State: State{Want: cfg.Net.Interface.V, MAC: cfg.Net.MAC.V}, sys: cfg.SysClassNet, up: setUp}
}

// update takes one message in. ready is the link to use, if it is.
func (s *state) update(u netlink.LinkUpdate) (ready netlink.Link, changed bool, err error) {
	attrs := u.Attrs()
	at := slices.IndexFunc(s.Links, func(l Link) bool { return l.Index == attrs.Index })
	if u.Header.Type == unix.RTM_DELLINK {
		if at >= 0 {
			s.Links = slices.Delete(s.Links, at, at+1)
		}
		return nil, at >= 0, nil
	}
	if !s.candidate(u.Link) {
		if !slices.Contains(s.Other, attrs.Name) && attrs.Name != "lo" {
			s.Other = append(s.Other, attrs.Name)
		}
		return nil, false, nil
	}
	l := Link{
		Name:    attrs.Name,
		Index:   attrs.Index,
		Up:      attrs.RawFlags&unix.IFF_UP != 0,
		Carrier: attrs.RawFlags&unix.IFF_UP != 0 && attrs.RawFlags&unix.IFF_LOWER_UP != 0,
	}
	if l.Carrier {
		return u.Link, false, nil
	}
	if at < 0 {
		s.Links = append(s.Links, l)
	} else {
		changed = s.Links[at] != l
		s.Links[at] = l
	}
	if at < 0 && !l.Up {
		waitProbe(s.sys, l.Name)
		if err := s.up(u.Link); errors.Is(err, unix.ENODEV) {
			return nil, true, nil // its RTM_DELLINK follows
		} else if err != nil {
			return nil, false, fmt.Errorf("set link up %s: %w", l.Name, err)
		}
	}
	return nil, changed || at < 0, nil
}

// settle is for how long a new carrier must last. Drivers register a device
// with its carrier on and take it off right afterwards, before they have asked
// the hardware (drivers/net/virtio_net.c: virtnet_probe), and the events of
// that moment look like a link.
const settle = 30 * time.Millisecond

// chosen follows which link is to be used: the first with carrier, until an
// event takes its carrier away.
func (s *state) chosen(found, ready netlink.Link, u netlink.LinkUpdate, confirm <-chan time.Time) (netlink.Link, <-chan time.Time) {
	switch {
	case found == nil && ready != nil:
		return ready, time.After(settle)
	case found != nil && ready == nil && u.Attrs().Index == found.Attrs().Index:
		return nil, nil
	}
	return found, confirm
}

// candidate tells whether a link is the one asked for, by MAC or name, or, if
// none is, a piece of Ethernet hardware: software devices have no device in
// sysfs.
func (s *state) candidate(link netlink.Link) bool {
	attrs := link.Attrs()
	if s.MAC != "" {
		return attrs.HardwareAddr.String() == s.MAC && s.hardware(attrs.Name)
	}
	if s.Want != "" {
		return attrs.Name == s.Want
	}
	if attrs.EncapType != "ether" {
		return false
	}
	return s.hardware(attrs.Name)
}

// hardware tells a piece of hardware from a software device, such as a VLAN,
// which has the MAC of what it is on.
func (s *state) hardware(name string) bool {
	_, err := os.Stat(filepath.Join(s.sys, name, "device"))
	return err == nil
}

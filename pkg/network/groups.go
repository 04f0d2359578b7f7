package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// isMember reports whether a link belongs to a bond or bridge of the plan.
func (d *devices) isMember(link netlink.Link) bool {
	return slices.ContainsFunc(d.net.Groups, func(v bootspec.Value[bootspec.Group]) bool {
		return d.called(link, v.V.Members...)
	})
}

// isGroup reports whether a name is that of a bond or bridge of the plan.
func (d *devices) isGroup(name string) bool {
	return slices.ContainsFunc(d.net.Groups, func(v bootspec.Value[bootspec.Group]) bool { return v.V.Name == name })
}

// called reports whether a link has one of these names in the plan.
func (d *devices) called(link netlink.Link, names ...string) bool {
	return slices.ContainsFunc(d.names(link), func(n string) bool { return slices.Contains(names, n) })
}

// build adds a link to its group, or creates the VLANs on it. The kernel's message about a new
// device leads to the devices on that.
func (d *devices) build(link netlink.Link) (part bool, err error) {
	for _, v := range d.net.Groups {
		if d.called(link, v.V.Members...) {
			if err := d.join(link, v.V); err != nil {
				return true, fmt.Errorf("%s %s: %w", v.V.Kind, v.V.Name, err)
			}
			return true, nil
		}
	}
	for _, v := range d.net.VLANs {
		if !d.called(link, v.V.Parent) {
			continue
		}
		if part = true; link.Attrs().RawFlags&unix.IFF_UP == 0 {
			if err := setUp(link); err != nil {
				return true, fmt.Errorf("set link up %s: %w", link.Attrs().Name, err)
			}
		}
		if err := addVLAN(link, v.V); err != nil {
			return true, fmt.Errorf("VLAN %s: %w", v.V.Name, err)
		}
	}
	return part && !d.addressed(link), nil
}

// addressed reports whether a link has a line of its own in ip=, besides the VLANs on it.
func (d *devices) addressed(link netlink.Link) bool {
	return slices.ContainsFunc(d.net.IP, func(v bootspec.Value[bootspec.IP]) bool { return d.called(link, v.V.Device, v.V.MAC) }) ||
		d.called(link, d.net.Interface.V, d.net.MAC.V)
}

func addVLAN(parent netlink.Link, v bootspec.VLAN) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = v.Name, parent.Attrs().Index
	err := netlink.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: int(v.ID), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q})
	if errors.Is(err, unix.EEXIST) { // from an earlier attempt
		return nil
	}
	return err
}

// join creates a group when its first member appears, and adds a member.
func (d *devices) join(link netlink.Link, g bootspec.Group) error {
	d.linksMu.Lock()
	defer d.linksMu.Unlock()
	group, err := netlink.LinkByName(g.Name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		group, err = d.add(g)
	}
	if err != nil {
		return err
	}
	// The message can be older than the link's state.
	link, err = netlink.LinkByIndex(link.Attrs().Index)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	} else if err != nil || link.Attrs().MasterIndex == group.Attrs().Index {
		return err
	}
	up := group.Attrs().RawFlags&unix.IFF_UP != 0
	if !up {
		if err := d.configure(group, g); err != nil {
			return err
		}
	}
	if err := enslave(link, group, g.Kind); err != nil {
		return fmt.Errorf("take in %s: %w", link.Attrs().Name, err)
	}
	if !up { // now that it has its member's MAC, which its IPv6 address is made of
		if err := netlink.LinkSetUp(group); err != nil {
			return fmt.Errorf("set link up %s: %w", g.Name, err)
		}
	}
	return d.setActive(g, link.Attrs().Name)
}

// enslave adds a link to a group. A bond accepts only a link that is down and sets it up itself
// (drivers/net/bonding/bond_main.c: bond_enslave).
func enslave(link, group netlink.Link, kind string) error {
	if kind == "bond" && link.Attrs().RawFlags&unix.IFF_UP != 0 {
		if err := netlink.LinkSetDown(link); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetMaster(link, group); err != nil || kind == "bond" {
		return err
	}
	return netlink.LinkSetUp(link)
}

// add creates a bond or a bridge.
func (d *devices) add(g bootspec.Group) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = g.Name
	var link netlink.Link = &netlink.Bridge{LinkAttrs: attrs}
	if g.Kind == "bond" {
		link = netlink.NewLinkBond(attrs)
	}
	if err := netlink.LinkAdd(link); err != nil {
		return nil, err
	}
	return netlink.LinkByName(g.Name)
}

// configure sets a new bond's options, most of which cannot be set later, and the MTU that its
// members get too.
func (d *devices) configure(group netlink.Link, g bootspec.Group) error {
	if g.Kind != "bond" {
		return nil // a bridge's MTU is that of its ports
	}
	for _, o := range g.BondOptions() {
		if o.Name == "active_slave" {
			continue // set by setActive
		}
		if err := d.option(g.Name, o); err != nil {
			return err
		}
	}
	if mtu := d.net.MTU(false, g.Name); mtu != 0 {
		if err := netlink.LinkSetMTU(group, mtu); err != nil {
			return fmt.Errorf("set MTU to %d: %w", mtu, err)
		}
	}
	return nil
}

// setActive makes a member the active one if the options require it.
func (d *devices) setActive(g bootspec.Group, name string) error {
	for _, o := range g.BondOptions() {
		if o.Name == "active_slave" && o.Value == name {
			if err := d.option(g.Name, o); err != nil {
				d.warn(err.Error()) // it has no carrier yet
			}
		}
	}
	return nil
}

// option sets an option of a bond through sysfs, whose values are those of the parameter
// (Documentation/networking/bonding.rst).
func (d *devices) option(bond string, o bootspec.BondOption) error {
	path := filepath.Join(d.sys, bond, "bonding", o.Name)
	if o.Name == "mode" && strings.HasPrefix(readAttr(filepath.Dir(path), "mode"), o.Value+" ") {
		return nil // a bond with members from an earlier attempt keeps its mode
	}
	if err := os.WriteFile(path, []byte(o.Value), 0); err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("option %s=%s: %w", o.Name, o.Value, err)
	}
	return nil
}

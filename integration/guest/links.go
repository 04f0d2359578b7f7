//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// links runs the commands that change the network, by name.
func links(words []string) (known bool, err error) {
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	switch words[0] {
	case "flush":
		return true, changeLink(flush)
	case "rename":
		return true, changeLink(func(l netlink.Link) error {
			return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetName(l, arg))
		})
	case "bounce":
		return true, changeLink(func(l netlink.Link) error { return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetUp(l)) })
	case "module":
		return true, insert(words[1:])
	case "vlan":
		return true, changeLink(func(l netlink.Link) error { return addVLAN(l, arg) })
	case "master":
		return true, changeLink(func(l netlink.Link) error { return addMaster(l, words[1:]) })
	case "nomaster":
		return true, changeLink(netlink.LinkSetNoMaster)
	case "address":
		return true, address(words[1:])
	case "net":
		return true, showNet()
	}
	return false, nil
}

// changeLink calls do for the NIC.
func changeLink(do func(netlink.Link) error) error {
	all, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Attrs().EncapType == "ether" && l.Type() == "device" {
			return do(l)
		}
	}
	return errors.New("no NIC")
}

// flush removes all IPv4 addresses.
func flush(l netlink.Link) error {
	addrs, err := netlink.AddrList(l, unix.AF_INET)
	for _, a := range addrs {
		err = errors.Join(err, netlink.AddrDel(l, &a))
	}
	return err
}

// insert loads modules from /lib/modules.
func insert(names []string) error {
	for _, name := range names {
		f, err := os.Open(filepath.Join("/lib/modules", name+".ko"))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

// addVLAN makes a VLAN on the NIC.
func addVLAN(l netlink.Link, id string) error {
	n, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	v := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "vlan" + id, ParentIndex: l.Attrs().Index}, VlanId: n}
	if err := netlink.LinkAdd(v); err != nil {
		return err
	}
	return netlink.LinkSetUp(v)
}

// addMaster makes a master of a kind and puts the NIC into it: KIND NAME.
func addMaster(l netlink.Link, words []string) error {
	if len(words) != 2 {
		return errors.New("KIND NAME")
	}
	attrs := netlink.LinkAttrs{Name: words[1]}
	var m netlink.Link
	switch words[0] {
	case "bridge":
		m = &netlink.Bridge{LinkAttrs: attrs}
	case "bond": // takes only a link that is down
		bond := netlink.NewLinkBond(attrs)
		bond.Mode, bond.Miimon = netlink.BOND_MODE_ACTIVE_BACKUP, 100
		m = bond
		if err := netlink.LinkSetDown(l); err != nil {
			return err
		}
	case "vrf":
		m = &netlink.Vrf{LinkAttrs: attrs, Table: 77}
	default:
		return fmt.Errorf("no master of kind %s", words[0])
	}
	if err := netlink.LinkAdd(m); err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetUp(m), netlink.LinkSetMaster(l, m))
}

// address gives a link one address in place of all that it has, or one more: LINK ADDRESS, LINK +
// ADDRESS.
func address(words []string) error {
	if len(words) < 2 {
		return errors.New("LINK [+] ADDRESS")
	}
	l, err := netlink.LinkByName(words[0])
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(words[len(words)-1])
	if err != nil {
		return err
	}
	if words[1] != "+" {
		if err := flush(l); err != nil {
			return err
		}
	}
	return netlink.AddrAdd(l, a)
}

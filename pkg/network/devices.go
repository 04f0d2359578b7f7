package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// devices applies the plan's names, MTUs and MACs to links as they appear, and creates VLANs, bonds
// and bridges on them. All of it is done to a link before it is set up, by one task at a time for
// each link.
type devices struct {
	net   bootspec.Net
	sys   string
	namer *namer            // used with linksMu held
	warn  func(text string) // called by tasks

	// linksMu is held while more than one link is involved: for names that two of them compete
	// for, and for groups. It is not held while a probe is waited for. What blocks with it held
	// waits for the kernel's rtnl_mutex, as every other configuration would.
	linksMu sync.Mutex

	mu       sync.Mutex     // taken last, held for no system call
	newNames map[int]string // names that links have been given, by index
	renamed  map[int]bool   // links for which rename has been called
	prepared map[int]bool   // links for which setMACAndMTU has been called
	groupsUp map[int]bool   // groups that have been set up
}

func newDevices(cfg Config, warn func(text string)) *devices {
	return &devices{
		net: cfg.Net, sys: cfg.SysClassNet, warn: warn,
		newNames: map[int]string{}, renamed: map[int]bool{}, prepared: map[int]bool{}, groupsUp: map[int]bool{},
		namer: &namer{
			net: &cfg.Net, plannedNames: slices.Concat(cfg.Net.Named(), cfg.Named), sys: cfg.SysClassNet,
			files: cfg.LinkFiles, warn: warn, warned: map[string]bool{},
		},
	}
}

// firstTime reports whether index is not yet in done, and adds it.
func (d *devices) firstTime(done map[int]bool, index int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := done[index]
	done[index] = true
	return !before
}

// forget drops the state of a link that has disappeared.
func (d *devices) forget(index int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.newNames, index)
	delete(d.renamed, index)
	delete(d.prepared, index)
}

// needsPreparing reports whether prepare has anything to do for a link. It never blocks.
func (d *devices) needsPreparing(link netlink.Link) bool {
	attrs := link.Attrs()
	d.mu.Lock()
	defer d.mu.Unlock()
	return attrs.EncapType == "ether" &&
		(!d.prepared[attrs.Index] || attrs.MasterIndex != 0 || len(d.net.Groups) > 0 || len(d.net.VLANs) > 0)
}

// prepare is called for each message about a link for which needsPreparing returns true, before the
// link is set up. It returns whether no line may use the link: because another message with its new
// name follows, or because it is a part of something else and gets no address of its own. It can
// block as long as the link's driver does, and does nothing more to the link once ctx has ended.
func (d *devices) prepare(ctx context.Context, link netlink.Link) (ignore bool, err error) {
	attrs := link.Attrs()
	if d.firstTime(d.renamed, attrs.Index) && d.rename(ctx, link) || ctx.Err() != nil || d.stale(attrs) {
		return true, nil
	}
	if d.firstTime(d.prepared, attrs.Index) {
		if err := d.setMACAndMTU(link); err != nil {
			return true, ignoreENODEV(err)
		}
	}
	if attrs.MasterIndex != 0 {
		return d.isMember(link), ignoreENODEV(d.setGroupUp(attrs.MasterIndex))
	}
	part, err := d.build(link)
	// join sets a group up once it has a member.
	noMembers := attrs.RawFlags&unix.IFF_UP == 0 && d.isGroup(attrs.Name)
	return part || noMembers, ignoreENODEV(err)
}

// ignoreENODEV ignores the error for a link that has just disappeared: RTM_DELLINK follows.
func ignoreENODEV(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// names returns the names that the plan can use for a link. A VLAN has the MAC of its parent, so
// that only hardware is identified by its MAC.
func (d *devices) names(link netlink.Link) []string {
	attrs := link.Attrs()
	if !d.hardware(attrs.Name) {
		return []string{attrs.Name}
	}
	names := []string{attrs.Name, attrs.HardwareAddr.String()}
	if len(attrs.PermHWAddr) > 0 {
		names = append(names, attrs.PermHWAddr.String()) // its MAC may have been changed
	}
	return names
}

func (d *devices) hardware(name string) bool { return hardware(d.sys, name) }

// rename gives a NIC its name, unless it has been set up already. Another link that has the name is
// renamed out of the way, as udev does. A name that cannot be given does not stop the boot.
func (d *devices) rename(ctx context.Context, link netlink.Link) (renamed bool) {
	attrs := link.Attrs()
	if attrs.RawFlags&unix.IFF_UP != 0 {
		return false
	}
	d.linksMu.Lock()
	current := d.currentName(attrs)
	isNIC, probe := d.hardware(current), openProbe(d.sys, current)
	d.linksMu.Unlock()
	if waitProbe(probe); !isNIC || ctx.Err() != nil {
		return false
	}
	d.linksMu.Lock()
	defer d.linksMu.Unlock()
	current = d.currentName(attrs) // another task may have renamed it
	want := d.namer.name(&namedNIC{current, attrs.Name, attrs.HardwareAddr.String(), attrs.PermHWAddr.String()})
	if want == current {
		return current != attrs.Name
	}
	err := d.setName(link, want)
	if errors.Is(err, unix.EEXIST) {
		if other, found := netlink.LinkByName(want); found == nil && other.Attrs().RawFlags&unix.IFF_UP == 0 {
			_ = d.setName(other, fmt.Sprintf("rename%d", other.Attrs().Index))
			err = d.setName(link, want)
		}
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		d.warn(fmt.Sprintf("rename %s to %s: %v", current, want, err))
	}
	return err == nil
}

// currentName returns a link's name now: its message can be older than a rename that another link
// required. linksMu is held.
func (d *devices) currentName(attrs *netlink.LinkAttrs) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.newNames[attrs.Index], attrs.Name)
}

// stale reports whether a message is older than the link's last rename: another message follows,
// and MAC and MTU depend on the name.
func (d *devices) stale(attrs *netlink.LinkAttrs) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	given, ok := d.newNames[attrs.Index]
	if given == attrs.Name {
		delete(d.newNames, attrs.Index)
	}
	return ok && given != attrs.Name
}

// setName renames a link; linksMu is held.
func (d *devices) setName(link netlink.Link, name string) error {
	if err := netlink.LinkSetName(link, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newNames[link.Attrs().Index] = name
	return nil
}

// setMACAndMTU gives a link its MAC and its MTU.
func (d *devices) setMACAndMTU(link netlink.Link) error {
	attrs := link.Attrs()
	isNIC := d.hardware(attrs.Name)
	names := d.names(link)
	mac := d.net.NewMAC(isNIC, names...)
	if mac != "" && mac != attrs.HardwareAddr.String() && attrs.RawFlags&unix.IFF_UP == 0 {
		hw, err := net.ParseMAC(mac)
		if err == nil {
			err = netlink.LinkSetHardwareAddr(link, hw)
		}
		if err != nil {
			return fmt.Errorf("set MAC of %s to %s: %w", attrs.Name, mac, err)
		}
	}
	if mtu := d.net.MTU(isNIC, names...); mtu != 0 && mtu != attrs.MTU {
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			return fmt.Errorf("set MTU of %s to %d: %w: not supported by this NIC", attrs.Name, mtu, err)
		}
	}
	return nil
}

// setGroupUp sets a group up, once, whose members an earlier attempt has added.
func (d *devices) setGroupUp(index int) error {
	if !d.firstTime(d.groupsUp, index) {
		return nil
	}
	d.linksMu.Lock()
	defer d.linksMu.Unlock()
	group, err := netlink.LinkByIndex(index)
	if err != nil || !d.isGroup(group.Attrs().Name) || group.Attrs().RawFlags&unix.IFF_UP != 0 {
		return err
	}
	return netlink.LinkSetUp(group)
}

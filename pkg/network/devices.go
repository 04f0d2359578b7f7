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

// devices makes what the plan asks for of the machine's NICs, as they come:
// names, MTUs and MACs, and VLANs, bonds and bridges on them. All of it is
// done to a link before it is set up, by one task for each link at a time.
type devices struct {
	net   bootspec.Net
	sys   string
	namer *namer            // used with several held
	warn  func(text string) // called by tasks

	// several is held while more than one link is at stake: names that two of
	// them want, groups. It is not held while a probe is waited for. What does
	// wait with it held waits for the kernel's rtnl_mutex, as all others would.
	several sync.Mutex

	mu    sync.Mutex     // taken last, held for no system call
	given map[int]string // names that links have been given, by index
	named map[int]bool   // links that have had their turn to be renamed
	done  map[int]bool   // and to get MAC and MTU
	woken map[int]bool   // groups that have been set up
}

func newDevices(cfg Config, warn func(text string)) *devices {
	return &devices{
		net: cfg.Net, sys: cfg.SysClassNet, warn: warn,
		given: map[int]string{}, named: map[int]bool{}, done: map[int]bool{}, woken: map[int]bool{},
		namer: &namer{
			net: &cfg.Net, named: slices.Concat(cfg.Net.Named(), cfg.Named), sys: cfg.SysClassNet,
			files: cfg.LinkFiles, warn: warn, told: map[string]bool{},
		},
	}
}

// once tells whether something is to be done to a link or group for the first
// time.
func (d *devices) once(done map[int]bool, index int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := done[index]
	done[index] = true
	return !before
}

// forget drops what is known of a link that has gone.
func (d *devices) forget(index int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.given, index)
	delete(d.named, index)
	delete(d.done, index)
}

// concerns tells whether take has anything to do for a link. It never waits.
func (d *devices) concerns(link netlink.Link) bool {
	attrs := link.Attrs()
	d.mu.Lock()
	defer d.mu.Unlock()
	return attrs.EncapType == "ether" &&
		(!d.done[attrs.Index] || attrs.MasterIndex != 0 || len(d.net.Groups) > 0 || len(d.net.VLANs) > 0)
}

// take is told of each message about a link that concerns it, before the link
// is set up. It returns whether the link is ours: one of whose new name another
// message tells, or a part of something else, that gets no address of its own.
// It can take as long as the link's driver does, and does nothing more to the
// link once ctx has ended.
func (d *devices) take(ctx context.Context, link netlink.Link) (ours bool, err error) {
	attrs := link.Attrs()
	if d.once(d.named, attrs.Index) && d.rename(ctx, link) || ctx.Err() != nil || d.stale(attrs) {
		return true, nil
	}
	if d.once(d.done, attrs.Index) {
		if err := d.prepare(link); err != nil {
			return true, gone(err)
		}
	}
	if attrs.MasterIndex != 0 {
		return d.member(link), gone(d.wake(attrs.MasterIndex))
	}
	part, err := d.build(link)
	// join sets a group up once it has a member.
	unborn := attrs.RawFlags&unix.IFF_UP == 0 && d.group(attrs.Name)
	return part || unborn, gone(err)
}

// gone passes over what comes of a link that has just disappeared: a message
// tells of that too.
func gone(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// names are those that the plan can have for a link. A VLAN has the MAC of what
// it is on, so that only hardware is known by it.
func (d *devices) names(link netlink.Link) []string {
	attrs := link.Attrs()
	if !d.hardware(attrs.Name) {
		return []string{attrs.Name}
	}
	names := []string{attrs.Name, attrs.HardwareAddr.String()}
	if len(attrs.PermHWAddr) > 0 {
		names = append(names, attrs.PermHWAddr.String()) // it may have another one by now
	}
	return names
}

func (d *devices) hardware(name string) bool { return hardware(d.sys, name) }

// rename gives a NIC its name, unless it has been set up already. A link that
// has the name meanwhile steps aside, as with udev. A name that cannot be given
// is no reason not to boot.
func (d *devices) rename(ctx context.Context, link netlink.Link) (renamed bool) {
	attrs := link.Attrs()
	if attrs.RawFlags&unix.IFF_UP != 0 {
		return false
	}
	d.several.Lock()
	current := d.current(attrs)
	isNIC, probe := d.hardware(current), openProbe(d.sys, current)
	d.several.Unlock()
	if waitProbe(probe); !isNIC || ctx.Err() != nil {
		return false
	}
	d.several.Lock()
	defer d.several.Unlock()
	current = d.current(attrs) // another link's turn may have moved it
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
		d.warn(fmt.Sprintf("name of %s: it cannot be %s: %v", current, want, err))
	}
	return err == nil
}

// current is what a link is called now: its message can be older than what has
// been done to it for another link's sake. several is held.
func (d *devices) current(attrs *netlink.LinkAttrs) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.given[attrs.Index], attrs.Name)
}

// stale tells whether a message is older than the name that its link has been
// given since: another one follows, and MAC and MTU go by the name.
func (d *devices) stale(attrs *netlink.LinkAttrs) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	given, ok := d.given[attrs.Index]
	if given == attrs.Name {
		delete(d.given, attrs.Index)
	}
	return ok && given != attrs.Name
}

// setName renames a link; several is held.
func (d *devices) setName(link netlink.Link, name string) error {
	if err := netlink.LinkSetName(link, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given[link.Attrs().Index] = name
	return nil
}

// prepare gives a link its MAC and its MTU.
func (d *devices) prepare(link netlink.Link) error {
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
			return fmt.Errorf("set MTU of %s to %d: %w: this NIC cannot have it", attrs.Name, mtu, err)
		}
	}
	return nil
}

// wake sets a group up whose members an earlier try has left in it, once.
func (d *devices) wake(index int) error {
	if !d.once(d.woken, index) {
		return nil
	}
	d.several.Lock()
	defer d.several.Unlock()
	group, err := netlink.LinkByIndex(index)
	if err != nil || !d.group(group.Attrs().Name) || group.Attrs().RawFlags&unix.IFF_UP != 0 {
		return err
	}
	return netlink.LinkSetUp(group)
}

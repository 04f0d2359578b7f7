//go:build linux

package modload

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Devices lists the devices of a machine whose drivers are to be loaded. It reads only buses that a
// wanted module of its index can be for, and each device once: a machine has some 300 devices, and
// each costs three system calls.
type Devices struct {
	sys   string
	buses []string // folders of SYS/bus in the order they are looked at; nil: all there are
	seen  map[string]bool
}

// NewDevices returns the devices below sys, normally "/sys", that Wanted modules of idx may be for.
func NewDevices(sys string, idx *kmod.Index) *Devices {
	return &Devices{sys: sys, buses: busFolders(sys, idx.AliasKinds(Wanted)), seen: map[string]bool{}}
}

// firstBuses are those that most network cards are on.
var firstBuses = []string{"pci", "virtio", "vmbus", "xen", "usb"}

// busFolders returns the folders of SYS/bus whose devices have modaliases of some kinds: most are
// named alike. Without a device tree no modalias begins with "of:", with one that can be on any
// bus.
func busFolders(sys string, kinds []string) []string {
	_, err := os.Stat(filepath.Join(sys, "firmware/devicetree"))
	if slices.Contains(kinds, "") || slices.Contains(kinds, "of") && err == nil {
		return nil
	}
	var first, rest []string
	for _, bus := range firstBuses {
		if slices.Contains(kinds, bus) {
			first = append(first, bus)
		}
	}
	for _, kind := range kinds {
		if kind == "mdio" {
			kind = "mdio_bus" // drivers/net/phy/mdio_bus.c, mdio_bus_type
		}
		if !slices.Contains(first, kind) {
			rest = append(rest, kind)
		}
	}
	return append(first, rest...)
}

// Next returns the distinct modaliases, sorted, of devices that no earlier call has returned: those
// of the first bus that has any, because their drivers may make further devices appear. Without any
// it returns none. A device that is removed in between is skipped.
func (d *Devices) Next() ([]string, error) {
	buses := d.buses
	if buses == nil {
		entries, err := os.ReadDir(filepath.Join(d.sys, "bus"))
		if err != nil {
			return nil, fmt.Errorf("read modaliases: %w", err)
		}
		for _, e := range entries {
			buses = append(buses, e.Name())
		}
	}
	for _, bus := range buses {
		if out := d.onBus(filepath.Join(d.sys, "bus", bus, "devices")); len(out) > 0 {
			slices.Sort(out)
			return slices.Compact(out), nil
		}
	}
	return nil, nil
}

// onBus returns the modaliases of devices in a folder that have not been seen.
func (d *Devices) onBus(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil // no such bus, or one without devices
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	var out []string
	for _, name := range names {
		path := dir + "/" + name
		if d.seen[path] {
			continue
		}
		d.seen[path] = true
		if alias := readAttr(path + "/modalias"); alias != "" {
			out = append(out, alias)
		}
	}
	return out
}

// readAttr returns the trimmed text of a sysfs file, empty if there is none. Without os.ReadFile,
// which prepares each file for waiting, it takes about half the time.
func readAttr(name string) string {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [4096]byte // sysfs gives at most a page, in one read
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(buf[:n]))
}

// Wanted reports whether a module may be loaded because of a device's modalias: bus drivers and
// Ethernet, by kmod's Kind. It is false for everything else, block drivers above all, so that a
// machine's local disks stay out of sight.
func Wanted(m kmod.Module) bool { return m.Kind() != kmod.KindOther }

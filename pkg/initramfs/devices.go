package initramfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// pciID is the short form of a PCI device, as lspci -n prints it.
var pciID = regexp.MustCompile(`^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$`)

// modalias returns a device as the kernel announces it. Of a short form the class is that of an
// Ethernet card and the subsystem is zero (drivers/pci/pci-driver.c: pci_uevent).
func modalias(device string) string {
	if !pciID.MatchString(device) {
		return device
	}
	id := strings.ToUpper(device)
	return "pci:v0000" + id[:4] + "d0000" + id[5:] + "sv00000000sd00000000bc02sc00i00"
}

// behind are the devices that appear on the bus of a PCI device: the PCI device is announced before
// its bus exists. A network card of virtio has device id 1000 or 1041
// (include/uapi/linux/virtio_ids.h, VIRTIO 1.2 section 4.1.2).
var behind = map[string]string{
	"pci:v00001AF4d00001000": "virtio:d00000001v00001AF4",
	"pci:v00001AF4d00001041": "virtio:d00000001v00001AF4",
}

// errNoNIC is when no device has a driver that gets Ethernet frames in and out.
var errNoNIC = errors.New("none of them is a network card that the kernel's modules drive: name the driver, or include all")

// selectDevices returns the names of the modules of the devices: of buses, network cards and
// watchdogs. A driver whose file is missing is passed to warn if there is another network card.
func selectDevices(idx *kmod.Index, devices []string, warn func(error)) ([]string, error) {
	var out []string
	var missing []error
	found := false
	for _, d := range withBehind(devices) {
		for _, m := range idx.Match(d) {
			if m.Kind() == kmod.KindOther && !idx.MissingMayBeEthernet(m) || slices.Contains(out, m.Name) {
				continue
			}
			if err := idx.CheckFiles(m.Name); err != nil {
				missing = append(missing, err)
				continue
			}
			found = found || m.Kind() == kmod.KindEthernet
			names, err := selectDrivers(idx, []string{m.Name}, warn)
			if err != nil {
				return nil, err
			}
			out = append(out, names...)
		}
		found = found || idx.BuiltinOrBlacklisted(d) && strings.Contains(d, "bc02")
	}
	if !found && len(missing) > 0 {
		return nil, fmt.Errorf("network driver: %w", errors.Join(missing...))
	}
	if !found {
		return nil, fmt.Errorf("%d devices: %w", len(devices), errNoNIC)
	}
	for _, err := range missing {
		warn(fmt.Errorf("left out: %w", err))
	}
	return out, nil
}

// withBehind adds to devices those that will appear behind them.
func withBehind(devices []string) []string {
	var out []string
	for _, d := range devices {
		d = modalias(d)
		out = append(out, d)
		for prefix, more := range behind {
			if strings.HasPrefix(d, prefix) {
				out = append(out, more)
			}
		}
	}
	return out
}

// HostDevices returns the modaliases of this machine's devices, for Config.Devices; sys is where
// sysfs is mounted.
func HostDevices(sys string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(sys, "bus/*/devices/*/modalias"))
	if err != nil {
		return nil, fmt.Errorf("list devices of this machine: %w", err)
	}
	var out []string
	for _, name := range names {
		// A device may have been removed.
		if data, err := os.ReadFile(name); err == nil {
			out = append(out, strings.TrimSpace(string(data)))
		}
	}
	if out = compact(out); len(out) == 0 {
		return nil, fmt.Errorf("list devices of this machine: there are none below %s: %w", filepath.Join(sys, "bus"), fs.ErrNotExist)
	}
	return out, nil
}

// maxModaliases bounds the file of a machine's devices, in bytes.
const maxModaliases = 1 << 20

// ReadDevices reads devices from a file with one on each line, such as
//
//	cat /sys/bus/*/devices/*/modalias
//
// prints on the machine that is to boot.
func ReadDevices(name string) ([]string, error) {
	data, err := ReadRegular(name, maxModaliases)
	if err != nil {
		return nil, fmt.Errorf("read devices from %s: %w", name, err)
	}
	var out []string
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case !strings.Contains(line, ":") || strings.ContainsAny(line, " \t"):
			return nil, fmt.Errorf("read devices from %s: line %d: neither a modalias nor VVVV:DDDD", name, n)
		default:
			out = append(out, line)
		}
	}
	return compact(out), nil
}

// compact sorts names and leaves out what is empty or there twice.
func compact(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

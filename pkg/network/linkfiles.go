package network

import (
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// nameFromFiles returns the name that udev would give a NIC: the first file that matches it
// applies, its policies in their order, and then its Name= (src/udev/net/link-config.c:
// link_generate_new_name).
func (n *namer) nameFromFiles(nic *namedNIC, p *udevNames) string {
	f, maybe := linkfile.Of(n.files, n.properties(nic))
	for _, m := range maybe {
		n.warnOnce(m.Path, "[Match] "+m.Conditions()+" cannot be evaluated in the initramfs: the file is ignored")
	}
	if f == nil {
		return nic.current
	}
	if what := strings.Join(f.Wrong, ", "); what != "" {
		n.warnOnce(f.Path, "not supported and ignored: "+what)
	}
	if what := strings.Join(f.Undone, ", "); what != "" {
		n.warnOnce(f.Path, what+" is ignored in the initramfs: only the name is used, the rest is left to udev of the real system")
	}
	policies := f.Policies
	if n.net.KeepNames.V {
		policies = nil
	}
	how := n.attr(nic.current, "name_assign_type")
	if nic.current != nic.original { // it was renamed out of the way
		how = ""
	}
	for _, policy := range policies {
		// Before 5.19 an Ethernet driver's name is NET_NAME_UNKNOWN, of which there is
		// nothing to read (net/core/net-sysfs.c: name_assign_type_show): it is the
		// kernel's, by the order of discovery.
		keep := policy == linkfile.Keep && (how == nameByUser || how == nameRenamed)
		if keep || policy == linkfile.Kernel && how == namePredictable {
			return nic.current
		}
		if name := p.by(policy); name != "" {
			return name
		}
	}
	if f.Name != "" {
		return f.Name
	}
	return nic.current
}

// warnOnce warns of a file, once for each text.
func (n *namer) warnOnce(file, text string) {
	if text = file + ": " + text; !n.warned[text] {
		n.warned[text] = true
		n.warn(text)
	}
}

// properties returns the properties of a NIC that the files match.
func (n *namer) properties(nic *namedNIC) linkfile.NIC {
	f := linkfile.NIC{
		linkfile.MAC: nic.mac, linkfile.PermanentMAC: nic.permanent, linkfile.OriginalName: nic.original,
		linkfile.Type: "ether",
	}
	if slices.ContainsFunc(n.files, func(f *linkfile.File) bool { return len(f.Match[linkfile.Driver]) > 0 }) {
		f[linkfile.Driver] = n.driver(nic.current)
	}
	if dev, err := filepath.EvalSymlinks(filepath.Join(n.sys, nic.current, "device")); err == nil {
		f[linkfile.Path] = idPath(dev)
	}
	_, devtype, _ := strings.Cut("\n"+n.attr(nic.current, "uevent"), "\nDEVTYPE=")
	if devtype, _, _ = strings.Cut(devtype, "\n"); devtype != "" { // wlan, for example
		f[linkfile.Type] = devtype
	}
	return f
}

// driver returns the driver's name as ethtool reports it, which for a few NICs differs from the
// driver in sysfs: mlx4_en on mlx4_core.
func (n *namer) driver(name string) string {
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		defer unix.Close(fd)
		if info, err := unix.IoctlGetEthtoolDrvinfo(fd, name); err == nil {
			return unix.ByteSliceToString(info.Driver[:])
		}
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(n.sys, name, "device/driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(dir)
}

// idPath returns udev's ID_PATH of a NIC's device: pci-0000:00:14.0-usb-0:1.4:1.0. It walks up the
// tree, and uses the nearest of several devices in a row on the same bus
// (src/udev/udev-builtin-path_id.c). It is empty if no part is on a bus of the machine.
func idPath(dev string) string {
	path, placed, last := "", false, ""
	for dir := dev; len(dir) > 1; dir = filepath.Dir(dir) {
		bus, name := busOf(dir), filepath.Base(dir)
		if bus == last {
			continue
		}
		switch last = bus; bus {
		case "usb":
			_, port, _ := strings.Cut(name, "-")
			name = "0:" + port
		case "pci", "platform", "acpi", "xen":
			placed = true
		default:
			continue
		}
		path = "-" + bus + "-" + name + path
	}
	if !placed {
		return ""
	}
	return path[1:]
}

// busOf returns the bus of a device in sysfs, empty for a directory that is not a device.
func busOf(dir string) string {
	bus, err := filepath.EvalSymlinks(filepath.Join(dir, "subsystem"))
	if err != nil {
		return ""
	}
	return filepath.Base(bus)
}

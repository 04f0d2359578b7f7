package network

import (
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// byFile returns the name that udev would give a NIC: the first file that is for
// it counts, its policies in their order, and then its Name=
// (src/udev/net/link-config.c: link_generate_new_name).
func (n *namer) byFile(nic *namedNIC, p *places) string {
	f, maybe := linkfile.Of(n.files, n.facts(nic))
	for _, m := range maybe {
		n.tell(m.Path, "[Match] "+m.Conditions()+" cannot be judged before the real system: the file is ignored")
	}
	if f == nil {
		return nic.current
	}
	if what := strings.Join(f.Wrong, ", "); what != "" {
		n.tell(f.Path, "not supported and ignored: "+what)
	}
	if what := strings.Join(f.Undone, ", "); what != "" {
		n.tell(f.Path, what+" does nothing here: only the name is taken, the rest is for udev of the real system")
	}
	policies := f.Policies
	if n.net.KeepNames.V {
		policies = nil
	}
	how := n.attr(nic.current, "name_assign_type")
	if nic.current != nic.original { // it has the name to step aside
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

// tell warns of a file once.
func (n *namer) tell(file, text string) {
	if text = file + ": " + text; !n.told[text] {
		n.told[text] = true
		n.warn(text)
	}
}

// facts are what the files ask of a NIC.
func (n *namer) facts(nic *namedNIC) linkfile.NIC {
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

// driver is the name that ethtool has of it, which for a few cards is not that
// of the driver in sysfs: mlx4_en on mlx4_core.
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

// idPath is udev's ID_PATH of a NIC's device: pci-0000:00:14.0-usb-0:1.4:1.0. It
// goes up the tree, and takes of each bus in a row the nearest
// (src/udev/udev-builtin-path_id.c). Empty where no part is the place of a
// machine's bus.
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

// busOf is what a device of sysfs is on, empty for a directory that is none.
func busOf(dir string) string {
	bus, err := filepath.EvalSymlinks(filepath.Join(dir, "subsystem"))
	if err != nil {
		return ""
	}
	return filepath.Base(bus)
}

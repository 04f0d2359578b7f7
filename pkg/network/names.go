package network

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/network/linkfile"
)

// Values of name_assign_type and addr_assign_type (include/uapi/linux/netdevice.h: NET_NAME_ENUM
// and so on, and NET_ADDR_PERM).
const (
	namePredictable = "2" // the name will be the same at the next boot
	nameByUser      = "3"
	nameRenamed     = "4"
	permanentMAC    = "0"

	maxOnboardIndex = 65535
)

// maxName is the kernel's limit with the NUL (include/uapi/linux/if.h: IFNAMSIZ).
const maxName = 16

// namer chooses the names of NICs.
type namer struct {
	net          *bootspec.Net
	plannedNames []string // names in the plan
	sys          string   // /sys/class/net
	files        []*linkfile.File
	warn         func(text string)
	warned       map[string]bool // the warnings about the files so far
}

// namedNIC is a NIC whose name is to be chosen.
type namedNIC struct {
	current, original string // original is the kernel's; they differ if it was renamed out of the way
	mac, permanent    string
}

// name returns the name for a NIC, which may be its present one: the name that ifname= gives its
// MAC; one of its names, the kernel's or udev's, that a parameter uses; else the one that udev
// would give it, by its .link files. Udev itself comes too late: the NIC is up then, and Linux
// before 6.2 does not rename an interface that is up (net/core/dev.c: dev_change_name).
//
// A file can give one NIC the name that another one has from the kernel: a parameter then means the
// NIC of the file.
func (n *namer) name(nic *namedNIC) string {
	for i := range n.net.Names {
		if v := &n.net.Names[i].V; v.MAC == nic.mac {
			return v.Name
		}
	}
	udevNames := n.udevNames(nic)
	want := n.nameFromFiles(nic, udevNames)
	for _, name := range append([]string{want, nic.current}, udevNames.all()...) {
		if slices.Contains(n.plannedNames, name) && (name == want || !n.assigned(name)) {
			return name
		}
	}
	return want
}

// assigned reports whether a file gives a name to a NIC.
func (n *namer) assigned(name string) bool {
	return slices.ContainsFunc(n.files, func(f *linkfile.File) bool { return f.Name == name })
}

// udevNames are udev's names for a NIC, each empty if it has none. NICs on PCI, virtio and USB have
// them; virtual functions, and NICs on other buses, have only the one from the MAC.
type udevNames struct {
	onboard, slot, path, mac string
	permanent                bool // the MAC is the card's own
}

func (p *udevNames) all() []string {
	return slices.DeleteFunc([]string{p.onboard, p.slot, p.path, p.mac}, func(s string) bool { return s == "" })
}

// by returns the name for one of udev's policies.
func (p *udevNames) by(policy string) string {
	name := ""
	switch policy {
	case linkfile.Onboard:
		name = p.onboard
	case linkfile.Slot:
		name = p.slot
	case linkfile.ByPath:
		name = p.path
	case linkfile.ByMAC:
		if p.permanent { // src/udev/udev-builtin-net_id.c: names_mac
			name = p.mac
		}
	}
	if len(name) >= maxName {
		return ""
	}
	return name
}

func (n *namer) udevNames(nic *namedNIC) *udevNames {
	dev, err := filepath.EvalSymlinks(filepath.Join(n.sys, nic.current, "device"))
	if err != nil {
		return &udevNames{}
	}
	out := &udevNames{mac: "enx" + strings.ReplaceAll(nic.mac, ":", ""), permanent: n.attr(nic.current, "addr_assign_type") == permanentMAC}
	pci, usb := pciParent(dev)
	if pci == "" || exists(pci, "physfn") {
		return out
	}
	p := pciNIC{dir: pci, slots: filepath.Join(n.sys, "../../bus/pci/slots"), port: n.port(nic.current)}
	out.path = p.path() + usb
	if s := p.slot(); s != "" {
		out.slot = s + usb
	}
	if usb == "" {
		out.onboard = p.onboard()
	}
	return out
}

// port returns the suffix of names of cards with several ports.
func (n *namer) port(current string) string {
	if name := n.attr(current, "phys_port_name"); name != "" {
		return "n" + name
	}
	if port := n.attr(current, "dev_port"); port != "" && port != "0" {
		return "d" + port
	}
	return ""
}

func (n *namer) attr(link, file string) string { return readAttr(filepath.Join(n.sys, link), file) }

// pciParent returns the PCI device that a NIC is, or is a child of, and for a NIC on USB the USB
// part of its name: u1u4 for 1-1.4, with configuration and interface if they are not the first.
func pciParent(dev string) (pci, usb string) {
	base := filepath.Base(dev)
	switch {
	case isPCIDevice(base):
		return dev, ""
	case strings.HasPrefix(base, "virtio") && isPCIDevice(filepath.Base(filepath.Dir(dev))):
		return filepath.Dir(dev), ""
	}
	_, ports, ok := strings.Cut(base, "-")
	ports, rest, isInterface := strings.Cut(ports, ":")
	config, number, _ := strings.Cut(rest, ".")
	if !ok || !isInterface {
		return "", ""
	}
	usb = "u" + strings.ReplaceAll(ports, ".", "u")
	if config != "1" {
		usb += "c" + config
	}
	if number != "0" {
		usb += "i" + number
	}
	for dir := filepath.Dir(dev); len(dir) > 1; dir = filepath.Dir(dir) {
		if isPCIDevice(filepath.Base(dir)) {
			return dir, usb
		}
	}
	return "", ""
}

// isPCIDevice reports whether a name in sysfs is a PCI device's: domain, bus, device and function
// in hex, as in 0000:00:03.0 (drivers/pci/probe.c: pci_setup_device).
func isPCIDevice(name string) bool {
	_, _, _, _, ok := parsePCIAddress(name)
	return ok
}

func parsePCIAddress(name string) (domain, bus, slot, function uint64, ok bool) {
	f := strings.FieldsFunc(name, func(c rune) bool { return c == ':' || c == '.' })
	if len(f) != 4 || len(f[0]) < 4 || strings.Count(name, ":") != 2 {
		return 0, 0, 0, 0, false
	}
	var n [4]uint64
	for i, bits := range []int{32, 8, 5, 3} {
		v, err := strconv.ParseUint(f[i], 16, bits)
		if err != nil {
			return 0, 0, 0, 0, false
		}
		n[i] = v
	}
	return n[0], n[1], n[2], n[3], true
}

// pciNIC makes names from a PCI device's position.
type pciNIC struct{ dir, slots, port string }

// onboard returns a name like eno1: the number that the firmware gives an onboard device, by ACPI
// or by SMBIOS (type 41).
func (p pciNIC) onboard() string {
	for _, file := range []string{"acpi_index", "index"} {
		text := readAttr(p.dir, file)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 0, 32)
		if err != nil || n == 0 || n > maxOnboardIndex {
			return ""
		}
		return fmt.Sprintf("eno%d%s", n, p.port)
	}
	return ""
}

// path returns a name like enp2s0f1: bus, device and function.
func (p pciNIC) path() string {
	domain, bus, slot, _, _ := parsePCIAddress(filepath.Base(p.dir))
	return fmt.Sprintf("en%sp%ds%d%s%s", domainPrefix(domain), bus, slot, p.function(), p.port)
}

// slot returns a name like ens3f1: the number of a card's slot, which the kernel gets from the
// firmware. Cards behind a bridge in a slot share its number, so that only functions of one card
// get such a name.
func (p pciNIC) slot() string {
	domain, _, _, _, _ := parsePCIAddress(filepath.Base(p.dir))
	for dir := p.dir; isPCIDevice(filepath.Base(dir)); dir = filepath.Dir(dir) {
		number := p.slotOf(filepath.Base(dir))
		if number == 0 {
			continue
		}
		const bridge = "0x0604" // include/linux/pci_ids.h: PCI_CLASS_BRIDGE_PCI
		if strings.HasPrefix(readAttr(dir, "class"), bridge) && !p.multifunction() {
			return ""
		}
		return fmt.Sprintf("en%ss%d%s%s", domainPrefix(domain), number, p.function(), p.port)
	}
	return ""
}

// slotOf returns the number of the slot of a device, 0 if it is in none.
func (p pciNIC) slotOf(name string) uint64 {
	entries, err := os.ReadDir(p.slots)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		number, err := strconv.ParseUint(e.Name(), 10, 32)
		address := readAttr(filepath.Join(p.slots, e.Name()), "address")
		if err == nil && number > 0 && address != "" && strings.HasPrefix(name, address) {
			return number
		}
	}
	return 0
}

// function returns f1, or nothing for the only function. With alternative routing-ID interpretation
// the number of the slot is part of it.
func (p pciNIC) function() string {
	_, _, slot, function, _ := parsePCIAddress(filepath.Base(p.dir))
	if readAttr(p.dir, "ari_enabled") == "1" {
		function += slot * 8
	}
	if function > 0 || p.multifunction() {
		return fmt.Sprintf("f%d", function)
	}
	return ""
}

// multifunction reads the bit of the header type (include/uapi/linux/pci_regs.h:
// PCI_HEADER_TYPE_MFD).
func (p pciNIC) multifunction() bool {
	const headerType = 0x0e
	config, err := os.ReadFile(filepath.Join(p.dir, "config"))
	return err == nil && len(config) > headerType && config[headerType]&0x80 != 0
}

func domainPrefix(domain uint64) string {
	if domain == 0 {
		return ""
	}
	return fmt.Sprintf("P%d", domain)
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// readAttr returns a sysfs file without the newline, "" if it cannot be read: some drivers return
// an error for some names.
func readAttr(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

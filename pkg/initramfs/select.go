package initramfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// needed are modules without which no LUN becomes a disk.
var needed = []string{"iscsi_tcp", "sd_mod"}

// useful are modules and aliases that are included if the tree has them: crc32c, which iscsi_tcp
// requests, under the names it has had, and iscsi_ibft, which shows the iSCSI boot table of the
// firmware.
var useful = []string{"crc32c_generic", "crypto-crc32c", "libcrc32c", "iscsi_ibft"}

// busesOf are the drivers that make a bus appear, by the prefix of the aliases of what sits on it.
// PCI itself is always built in. pci_hyperv shows the virtual function that goes with an hv_netvsc.
var busesOf = map[string][]string{
	"virtio": {"virtio_pci", "virtio_mmio"},
	"vmbus":  {"hv_vmbus", "pci_hyperv"},
	"xen":    {"xen_platform_pci", "xenbus_probe_frontend", "xen_pcifront"},
	"usb": {
		"xhci_pci", "xhci_pci_renesas", "xhci_plat_hcd", "ehci_pci", "ehci_platform",
		"ohci_pci", "ohci_platform", "uhci_hcd",
	},
}

// selectModules returns the modules that cfg requests, with their dependencies, in the order of a
// load plan. Modules that the tree lacks and cfg does not name are passed to warn.
func selectModules(idx *kmod.Index, cfg Config, warn func(error)) ([]kmod.Module, error) {
	names := append(slices.Clone(needed), withFiles(idx, useful, warn)...)
	nics, err := selectNICs(idx, cfg, warn)
	if err != nil {
		return nil, err
	}
	fileSystems, err := selectFileSystems(idx, cfg.FileSystems, warn)
	if err != nil {
		return nil, err
	}
	virtual, err := selectVirtual(idx, cfg, warn)
	if err != nil {
		return nil, err
	}
	storage, err := selectStorage(idx, cfg, warn)
	if err != nil {
		return nil, err
	}
	names = slices.Concat(names, nics, virtual, storage, fileSystems, cfg.Drivers)
	for _, name := range names {
		var missing *kmod.MissingFileError
		if err := idx.CheckFiles(name); errors.As(err, &missing) {
			return nil, err
		}
	}
	return idx.Plan(names...)
}

// withFiles returns the names of modules that are complete. Those with a missing file are passed to
// warn.
func withFiles(idx *kmod.Index, names []string, warn func(error)) []string {
	var out []string
	for _, name := range names {
		var missing *kmod.MissingFileError
		switch err := idx.CheckFiles(name); {
		case err == nil:
			out = append(out, name)
		case errors.As(err, &missing):
			warn(fmt.Errorf("left out: %w", err))
		}
	}
	return out
}

// selectNICs returns network drivers and the buses they need: the wanted ones, or all of the tree.
func selectNICs(idx *kmod.Index, cfg Config, warn func(error)) ([]string, error) {
	if len(cfg.NICs)+len(cfg.Devices) > 0 {
		out, err := selectDrivers(idx, cfg.NICs, warn)
		if err != nil || len(cfg.Devices) == 0 {
			return out, err
		}
		devices, err := selectDevices(idx, cfg.Devices, warn)
		return append(out, devices...), err
	}
	var all []string
	for _, m := range idx.Modules() {
		if m.Kind() != kmod.KindOther || idx.MissingMayBeEthernet(m) {
			all = append(all, m.Name)
		}
	}
	return withFiles(idx, all, warn), nil
}

// selectDrivers returns drivers, by name, with the buses that their devices sit on and the PHYs
// that may be on them.
func selectDrivers(idx *kmod.Index, wanted []string, warn func(error)) ([]string, error) {
	var out []string
	for _, name := range wanted {
		m, _, ok := idx.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("network driver: %w", &kmod.NotFoundError{Name: name})
		}
		if err := idx.CheckFiles(m.Name); err != nil {
			return nil, fmt.Errorf("network driver: %w", err)
		}
		plan, err := idx.Plan(m.Name)
		if err != nil {
			return nil, fmt.Errorf("network driver %s: %w", name, err)
		}
		out = append(out, m.Name)
		out = append(out, withFiles(idx, buses(idx, m), warn)...)
		out = append(out, withFiles(idx, phys(idx, plan), warn)...)
	}
	return out, nil
}

// buses returns the bus drivers that can make the devices of a driver appear.
func buses(idx *kmod.Index, m kmod.Module) []string {
	var out []string
	seen := map[string]bool{}
	for _, alias := range idx.Aliases(m) {
		if bus, _, _ := strings.Cut(alias, ":"); !seen[bus] {
			seen[bus] = true
			out = append(out, busesOf[bus]...)
		}
	}
	return out
}

// phys returns all PHY drivers if a driver uses libphy: the chip of a card is known only when the
// card is present, and the kernel requests its driver by an mdio alias.
func phys(idx *kmod.Index, plan []kmod.Module) []string {
	if !slices.ContainsFunc(plan, func(m kmod.Module) bool { return m.Name == "libphy" }) {
		return nil
	}
	var out []string
	for _, m := range idx.Modules() {
		if strings.Contains(m.Path, "drivers/net/phy/") || otherPHY(idx, m) {
			out = append(out, m.Name)
		}
	}
	return out
}

// otherPHY reports whether a module from outside of the kernel's own build drives PHYs.
func otherPHY(idx *kmod.Index, m kmod.Module) bool {
	if strings.HasPrefix(m.Path, "kernel/") || m.Kind() != kmod.KindEthernet {
		return false
	}
	return slices.ContainsFunc(idx.Aliases(m), func(alias string) bool { return strings.HasPrefix(alias, "mdio:") })
}

// selectFileSystems returns the modules of the wanted file systems, or of all that are supported
// and there. Without ext4 there is nothing to boot from.
func selectFileSystems(idx *kmod.Index, wanted []string, warn func(error)) ([]string, error) {
	if len(wanted) == 0 {
		for _, name := range fstypes.Roots() {
			if name != "ext4" && len(withFiles(idx, []string{"fs-" + name}, warn)) > 0 {
				wanted = append(wanted, name)
			}
		}
		wanted = append(wanted, "ext4")
	}
	var out []string
	for _, name := range wanted {
		name = strings.TrimPrefix(name, "fs-")
		if !fstypes.Of(name).Root {
			return nil, fmt.Errorf("file system %s: not supported; use one of %s", name, strings.Join(fstypes.Roots(), ", "))
		}
		// ext4.ko has the aliases of its two predecessors, and a kernel may have drivers
		// for these instead.
		alias := "fs-" + name
		if _, ok := idx.Resolve(alias); !ok {
			alias = name
		}
		if _, ok := idx.Resolve(alias); !ok {
			return nil, fmt.Errorf("file system: %w", &kmod.NotFoundError{Name: name})
		}
		out = append(out, alias)
		out = append(out, withFiles(idx, fstypes.Of(name).Modules, warn)...)
	}
	return out, nil
}

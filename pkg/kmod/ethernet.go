package kmod

import (
	"bytes"
	"slices"
	"strings"
)

// ethernetSymbols are imported by the drivers of Ethernet cards, of USB network adapters and of
// PHYs (include/linux/etherdevice.h, usb/usbnet.h, phy.h, drivers/net/ethernet/8390/8390.h,
// stmicro/stmmac/stmmac.h, include/net/devlink.h for the core of a card with several functions). No
// driver of a local disk imports one.
var ethernetSymbols = []string{
	"alloc_etherdev_mqs", "devm_alloc_etherdev_mqs", "usbnet_probe", "phy_driver_register", "phy_drivers_register",
	"__alloc_ei_netdev", "stmmac_dvr_probe", "devlink_alloc_ns",
}

// openCoded are imported by a driver that does alloc_etherdev's work itself (net/ethernet/eth.c).
// So do tunnels; they have no aliases of devices.
var openCoded = []string{"alloc_netdev_mqs", "ether_setup", "register_netdev"}

// wirelessSymbols are imported by drivers of radio cards, which make Ethernet devices too
// (include/net/cfg80211.h, mac80211.h).
var wirelessSymbols = []string{"wiphy_register", "ieee80211_register_hw"}

// wirelessModules are what such drivers depend on.
var wirelessModules = []string{"cfg80211", "mac80211"}

// nicAliases are what the aliases of network cards begin with, by the class of device:
// drivers/net/virtio_net.c, drivers/net/hyperv/netvsc_drv.c, drivers/net/xen-netfront.c.
var nicAliases = []string{"virtio:d00000001v", "vmbus:635161f83edfc546913ff2d2f965ed0e", "xen:vif"}

// deviceAliases are what the aliases of devices begin with on the buses of network cards.
var deviceAliases = []string{"pci:", "usb:", "virtio:", "vmbus:", "xen:", "of:", "acpi"}

// isEthernet reports whether a file is a driver of Ethernet; strtab is its table of strings.
func isEthernet(info Info, strtab []byte) bool {
	imports := func(s string) bool { return bytes.Contains(strtab, []byte("\x00"+s+"\x00")) }
	switch {
	case isWireless(info) || slices.ContainsFunc(wirelessSymbols, imports):
		return false
	case slices.ContainsFunc(ethernetSymbols, imports):
		return true
	}
	missing := func(s string) bool { return !imports(s) }
	return hasDevice(info.Aliases) && !slices.ContainsFunc(openCoded, missing)
}

func isWireless(info Info) bool {
	return slices.ContainsFunc(wirelessModules, func(name string) bool { return slices.Contains(info.Depends, name) })
}

func hasDevice(aliases []string) bool {
	return slices.ContainsFunc(aliases, func(alias string) bool { return hasPrefix(alias, deviceAliases) })
}

// isNIC reports whether an alias is for network cards as a class: of PCI's classes that of Ethernet
// controllers (include/linux/pci_ids.h, PCI_CLASS_NETWORK_ETHERNET), on other buses the prefixes in
// nicAliases.
func isNIC(alias string) bool {
	return hasPrefix(alias, nicAliases) || strings.HasPrefix(alias, "pci:") && strings.Contains(alias, "bc02sc00")
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}

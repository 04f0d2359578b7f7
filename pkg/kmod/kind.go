package kmod

import "strings"

// Kind is what a module is for, as far as reaching a network disk is concerned.
type Kind int

// The kinds. KindOther is everything that a machine needs neither to get Ethernet frames in and out nor to stay up
// meanwhile.
const (
	KindOther    Kind = iota
	KindBus           // makes other devices appear: virtio, Hyper-V, Xen, USB hosts
	KindEthernet      // a network card, its PHY or a helper of theirs
	KindWatchdog      // a watchdog that firmware may have left running
)

// String returns "bus", "ethernet", "watchdog" or "other".
func (k Kind) String() string {
	return [...]string{"other", "bus", "ethernet", "watchdog"}[k]
}

// watchdogNames are the drivers of watchdogs that PCs and servers have on board and announce.
var watchdogNames = map[string]bool{
	"i6300esb": true, "iTCO_wdt": true, "sp5100_tco": true, "hpwdt": true, "wdat_wdt": true,
}

// busNames are bus drivers that their folder does not tell apart from other drivers.
var busNames = map[string]bool{
	"virtio_pci": true, "virtio_mmio": true,
	"hv_vmbus": true, "pci_hyperv": true,
	"xen_platform_pci": true, "xen_pcifront": true, "xenbus_probe_frontend": true,
	"lpc_ich": true, // has iTCO_wdt's watchdog on it
}

// usbHosts are the host controllers of PCs and servers; drivers/usb/host also holds PCMCIA and USB gadgets' own.
var usbHosts = []string{"xhci_", "ehci_", "ohci_", "uhci_"}

// ethernetFolders are the folders below drivers/net with Ethernet in them. Radio, field buses, WAN and tunnels
// (wireless, wwan, can, ieee802154, wan, ppp, wireguard, ...) have others.
var ethernetFolders = map[string]bool{
	"ethernet": true, "usb": true, "phy": true, "mdio": true, "pcs": true,
	"hyperv": true, "vmxnet3": true, "fjes": true,
}

// ethernetNames are the modules directly in drivers/net that carry Ethernet; most others there are virtual devices.
var ethernetNames = map[string]bool{
	"virtio_net": true, "net_failover": true, "xen_netfront": true, "mii": true, "mdio": true, "sungem_phy": true,
}

// mobileUSB are modules of drivers/net/usb that drive mobile phones and modems.
var mobileUSB = map[string]bool{
	"cdc_mbim": true, "cdc_phonet": true, "hso": true, "huawei_cdc_ncm": true, "ipheth": true, "kalmia": true,
	"lg_vl600": true, "qmi_wwan": true, "sierra_net": true, "zaurus": true,
}

// Kind tells by name and path what a module is for. A path that says nothing, such as DKMS's updates/dkms, makes it
// KindOther, unless the index was read from the file itself.
func (m Module) Kind() Kind {
	switch {
	case busNames[m.Name], isUSBHost(m.Name) && (strings.Contains(m.Path, "drivers/usb/host/") || m.isLoose()):
		return KindBus
	case watchdogNames[m.Name]:
		return KindWatchdog
	case m.isLoose() && m.kind == KindEthernet && !mobileUSB[m.Name]:
		return KindEthernet
	}
	_, below, ok := strings.Cut(m.Path, "drivers/net/")
	folder, _, deeper := strings.Cut(below, "/")
	switch {
	case !ok:
		return KindOther
	case !deeper && ethernetNames[m.Name],
		deeper && ethernetFolders[folder] && !(folder == "usb" && mobileUSB[m.Name]):
		return KindEthernet
	}
	return KindOther
}

// isLoose tells that a path says nothing about its module: it names no folder of the kernel's sources.
func (m Module) isLoose() bool { return !strings.Contains(m.Path, "drivers/") }

func isUSBHost(name string) bool {
	for _, prefix := range usbHosts {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

package kmod

import "strings"

// Kind is what a module is for, as far as reaching a network disk is concerned.
type Kind int

// The kinds. KindOther is everything that a machine needs neither to get Ethernet frames in and out
// nor to stay up meanwhile.
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

// watchdogNames are the drivers of on-board watchdogs of PCs and servers that have a modalias.
var watchdogNames = map[string]bool{
	"i6300esb": true, "iTCO_wdt": true, "sp5100_tco": true, "hpwdt": true, "wdat_wdt": true,
}

// busNames are bus drivers in folders that hold other drivers as well.
var busNames = map[string]bool{
	"virtio_pci": true, "virtio_mmio": true,
	"hv_vmbus": true, "pci_hyperv": true,
	"xen_platform_pci": true, "xen_pcifront": true, "xenbus_probe_frontend": true,
	"lpc_ich": true, // the parent device of iTCO_wdt's watchdog
}

// usbHosts are the host controllers of PCs and servers; drivers/usb/host also holds PCMCIA and USB
// gadgets' own.
var usbHosts = []string{"xhci_", "ehci_", "ohci_", "uhci_"}

// ethernetFolders are the folders below drivers/net with Ethernet in them. Radio, field buses, WAN
// and tunnels (wireless, wwan, can, ieee802154, wan, ppp, wireguard, ...) have others.
var ethernetFolders = map[string]bool{
	"ethernet": true, "usb": true, "phy": true, "mdio": true, "pcs": true,
	"hyperv": true, "vmxnet3": true, "fjes": true,
}

// ethernetNames are the modules directly in drivers/net that carry Ethernet; most others there are
// virtual devices.
var ethernetNames = map[string]bool{
	"virtio_net": true, "net_failover": true, "xen_netfront": true, "mii": true, "mdio": true, "sungem_phy": true,
}

// mobileUSB are modules of drivers/net/usb that drive mobile phones and modems.
var mobileUSB = map[string]bool{
	"cdc_mbim": true, "cdc_phonet": true, "hso": true, "huawei_cdc_ncm": true, "ipheth": true, "kalmia": true,
	"lg_vl600": true, "qmi_wwan": true, "sierra_net": true, "zaurus": true,
}

// otherFolders are the folders below drivers/net in which the kernel has no Ethernet card.
const otherFolders = " appletalk arcnet bonding caif can dsa fddi hamradio hippi ieee802154 ipa ipvlan mctp netdevsim ovpn " +
	"plip ppp pse-pd slip team thunderbolt vxlan wan wireguard wireless wwan xen-netback "

// otherNames are the kernel's modules directly in drivers/net that do not drive Ethernet cards.
const otherNames = " amt bareudp dummy eql geneve gtp ifb macsec macvlan macvtap mhi_net netconsole netkit nlmon ntb_netdev " +
	"pfcp rionet sb1000 tap thunderbolt_net tun veth vrf vsockmon "

// kernelFolders are those that the kernel's own build makes below kernel/.
const kernelFolders = " arch block certs crypto drivers fs init io_uring ipc kernel lib mm net rust samples security sound virt "

// isOneOf reports whether a list with blanks around each word has one.
func isOneOf(list, word string) bool { return strings.Contains(list, " "+word+" ") }

// Kind returns what a module is for. It is determined by the name, or by a path below the folders
// of the kernel's own build; at any other place, such as DKMS's updates/dkms, by what Open has
// found in the file and in its aliases.
func (m Module) Kind() Kind {
	kind, sure := m.kindByPath()
	if !sure && m.kind == KindEthernet && !mobileUSB[m.Name] {
		return KindEthernet
	}
	return kind
}

// kindByPath returns the kind by name and path; sure is true if they determine it. Below kernel/
// they do, except beside the kernel's own folders and files: some makefiles install an r8125.ko
// there as well.
func (m Module) kindByPath() (kind Kind, sure bool) {
	switch {
	case busNames[m.Name], isUSBHost(m.Name) && (strings.Contains(m.Path, "drivers/usb/host/") || !strings.Contains(m.Path, "drivers/")):
		return KindBus, true
	case watchdogNames[m.Name]:
		return KindWatchdog, true
	}
	if _, below, ok := strings.Cut(m.Path, "drivers/net/"); ok {
		folder, _, deeper := strings.Cut(below, "/")
		switch {
		case deeper && folder == "usb" && mobileUSB[m.Name]:
			return KindOther, true
		case deeper && ethernetFolders[folder], !deeper && ethernetNames[m.Name]:
			return KindEthernet, true
		}
		return KindOther, deeper && isOneOf(otherFolders, folder) || !deeper && isOneOf(otherNames, m.Name)
	}
	below, own := strings.CutPrefix(m.Path, "kernel/")
	folder, _, _ := strings.Cut(below, "/")
	return KindOther, own && isOneOf(kernelFolders, folder)
}

func isUSBHost(name string) bool {
	for _, prefix := range usbHosts {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

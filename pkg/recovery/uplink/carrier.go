package uplink

import (
	"maps"
	"net/netip"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Device returns the name of the interface that stands for a NIC, which is given by its name or MAC
// of the boot: the NIC's present name, or what it is a port of; "": the NIC is no uplink. Any
// goroutine may call it.
func (k *Keeper) Device(nic string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.reports {
		if s.uplink.Lease.Interface == nic || s.uplink.MAC == nic {
			return s.device
		}
	}
	return ""
}

// Carrier reports whether the interface by which a connection leaves the machine has a carrier, as
// of the kernel's last message. In doubt it has one. Any goroutine may call it.
func (k *Keeper) Carrier(w session.Way) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	device := w.Device
	if device == "" {
		device = k.homes[w.Source.Unmap().WithZone("")]
	}
	for _, name := range k.dark {
		if name == device {
			return false
		}
	}
	return true
}

// noteCarrier records whether an interface has a carrier. A removed one has none. Watch calls it.
func (k *Keeper) noteCarrier(index int, name string, carrier bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.dark, func(i int, other string) bool { return i == index || other == name })
	if !carrier && len(k.dark) < maxDark {
		k.dark[index] = name
	}
}

// maxDark limits how many interfaces are stored as without a carrier.
const maxDark = 1024

// homes returns the interfaces of the global addresses, of the uplinks' families.
func (a *snapshot) homes() map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for _, list := range a.lists {
		if list == nil {
			continue
		}
		for _, o := range list.list {
			if name := a.linkByIndex(o.index).name; o.global() && name != "" && len(out) < maxKnown {
				out[o.Addr()] = name
			}
		}
	}
	return out
}

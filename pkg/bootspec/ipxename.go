package bootspec

import (
	"fmt"
	"slices"
	"strings"
)

// ipxePrefix is the beginning of iPXE's default initiator names (src/net/tcp/iscsi.c:
// DEFAULT_IQN_PREFIX); the host name follows or, without one, the machine's UUID.
const ipxePrefix = "iqn.2010-04.org.ipxe:"

// nameInitiator gives an initiator that no source names the name that iPXE gives it, so that one
// entry in a target's access list is good for both. If the machine has no UUID of its own the MAC
// of the boot's NIC is used, with a warning: the target's access list must contain this name.
func (p *Plan) nameInitiator(f NetFacts) (warnings []string) {
	if p.Initiator.Given() {
		return nil
	}
	uuid, mac := p.UUID, strings.ReplaceAll(f.MAC, ":", "-")
	if sharedUUID(uuid) {
		uuid = ""
	}
	if strings.Trim(mac, "0-") == "" {
		mac = ""
	}
	const byMAC = "the MAC of the boot's NIC"
	for _, by := range []Value[string]{{f.HostName, "the host name, as iPXE uses it"}, {uuid, "the machine's UUID, as iPXE uses it"}, {mac, byMAC}} {
		if name := ipxePrefix + by.V; by.V != "" && isTargetName(name) {
			p.Initiator = Value[string]{name, by.From}
			break
		}
	}
	if p.Initiator.From != byMAC {
		return nil
	}
	why := "this machine has no UUID"
	if p.UUID != "" {
		why = "many machines have the UUID " + clip(p.UUID)
	}
	return []string{fmt.Sprintf("no source names the initiator, and %s: its name is %s, from %s: write iscsi_i=NAME for another", why, p.Initiator.V, byMAC)}
}

// UsesIBFT reports whether the firmware's table would be used, and has not been found yet: it is
// requested, or no other source names the target or this machine. With rd.iscsi.firmware=0 the
// search ends, as in dracut, which does not load the kernel's driver then.
func (p Plan) UsesIBFT() bool {
	switch {
	case p.HasIBFT:
		return false
	case p.Firmware.Given():
		return p.Firmware.V
	case slices.ContainsFunc(p.Net.IP, isFirmware):
		return true
	}
	return !p.Initiator.Given() || isDefault(p.Initiator.From) || !p.named() && !p.ByDHCP.Given()
}

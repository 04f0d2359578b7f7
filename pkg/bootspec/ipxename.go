package bootspec

import (
	"fmt"
	"slices"
	"strings"
)

// ipxePrefix begins the names that iPXE gives initiators that no source names (src/net/tcp/iscsi.c:
// DEFAULT_IQN_PREFIX); behind it is the host's name or, without one, the machine's UUID.
const ipxePrefix = "iqn.2010-04.org.ipxe:"

// nameInitiator names an initiator that no source names as iPXE does, so that a target's access
// list is right for the firmware and for us. Where the machine has no UUID of its own, the MAC of
// the boot's NIC stands for it, which is said: no target knows that name unless it has been told.
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
	return []string{fmt.Sprintf("no source names the initiator, and %s: it is %s, by %s: write iscsi_i=NAME for another", why, p.Initiator.V, byMAC)}
}

// WantsIBFT tells whether the firmware's table would be of use, and there is none in the places
// that were looked at: it is asked for, or no other source names the target or this machine. With
// rd.iscsi.firmware=0 it is looked for no further, as in dracut, which does not load the kernel's
// driver then.
func (p Plan) WantsIBFT() bool {
	switch {
	case p.HasIBFT:
		return false
	case p.Firmware.Given():
		return p.Firmware.V
	case slices.ContainsFunc(p.Net.IP, isFirmware):
		return true
	}
	return !p.Initiator.Given() || low(p.Initiator.From) || !p.named() && !p.ByDHCP.Given()
}

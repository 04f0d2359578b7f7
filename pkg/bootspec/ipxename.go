package bootspec

// ipxePrefix begins the names that iPXE gives initiators that nobody names
// (src/net/tcp/iscsi.c: DEFAULT_IQN_PREFIX); behind it is the host's name or,
// without one, the machine's UUID.
const ipxePrefix = "iqn.2010-04.org.ipxe:"

// nameInitiator names an initiator that nobody else has named as iPXE does, so
// that a target's access list is right for the firmware and for us.
func (p *Plan) nameInitiator(hostName string) {
	if p.Initiator.Given() {
		return
	}
	for _, by := range []Value[string]{{hostName, "the host's name, as iPXE has it"}, {p.UUID, "the machine's UUID, as iPXE has it"}} {
		if name := ipxePrefix + by.V; by.V != "" && isTargetName(name) {
			p.Initiator = Value[string]{name, by.From}
			return
		}
	}
}

// WantsIBFT tells whether the firmware's table would be of use, and there is
// none in the places that were looked at: it is asked for, or nobody names a
// target.
func (p Plan) WantsIBFT() bool {
	if p.HasIBFT || p.Firmware.Given() && !p.Firmware.V {
		return false
	}
	for _, v := range p.Net.IP {
		if v.V.Methods[0] == Firmware {
			return true
		}
	}
	if p.Firmware.Given() {
		return true
	}
	for _, t := range p.Targets {
		if t.Name.Given() && !low(t.Name.From) {
			return false
		}
	}
	return !p.ByDHCP.Given()
}

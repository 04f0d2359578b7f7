package faultproxy

import (
	"encoding/binary"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Sense has each SCSI Response from now on end in CHECK CONDITION with a sense key (SPC-4 4.5.6, table 43), 0x0b for
// ABORTED COMMAND, on all connections whose PDUs are told apart, see [Proxy.Follow]; 0: as the target has it. Reads that the target
// ends within their data are not struck.
func (p *Proxy) Sense(key byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sense = key
}

// answered returns a PDU of the target's as Sense has it.
func (p *Proxy) answered(pdu []byte) []byte {
	p.mu.Lock()
	key := p.sense
	p.mu.Unlock()
	if key == 0 || iscsi.Opcode(pdu[0]&0x3f) != iscsi.OpSCSIResponse {
		return pdu
	}
	const checkCondition, senseLen = 2, 18
	out := make([]byte, iscsi.BHSLen+2+senseLen)
	copy(out, pdu[:iscsi.BHSLen])
	// RFC 7143 11.4: completed at the target, no AHS, and no residual count.
	out[1], out[2], out[3] = 0x80, 0, checkCondition
	binary.BigEndian.PutUint32(out[4:], 2+senseLen)
	clear(out[44:iscsi.BHSLen])
	data := out[iscsi.BHSLen:]
	binary.BigEndian.PutUint16(data, senseLen)
	data[2], data[4], data[2+7] = 0x70, key, senseLen-8 // current, in fixed format
	return out
}

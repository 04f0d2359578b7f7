package faultproxy

import (
	"encoding/binary"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Sense makes each later SCSI Response end in CHECK CONDITION with a sense key (SPC-4 4.5.6, table
// 43), 0x0b for ABORTED COMMAND, on all connections whose PDUs are parsed, see [Proxy.Follow]; 0:
// unchanged. Reads whose status is in their data are not changed.
func (p *Proxy) Sense(key byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sense = sense{key: key}
}

// NotReady is Sense with the key NOT READY and an additional code (SPC-4 annex F), 0x04 and 0x0b
// for a port in standby. Reads whose status is in their data are changed too.
func (p *Proxy) NotReady(code, qualifier byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sense = sense{key: 0x02, code: code, qualifier: qualifier, reads: true}
}

// sense is the sense data of commands.
type sense struct {
	key, code, qualifier byte
	reads                bool // those that end within their data too
}

// applies reports whether a PDU of the target ends a command that is to be changed. The last one of
// a read may hold the status (RFC 7143 11.7.3: S bit).
func (s sense) applies(pdu []byte) bool {
	const status = 0x01
	op := iscsi.Opcode(pdu[0] & 0x3f)
	return s.key != 0 && (op == iscsi.OpSCSIResponse || s.reads && op == iscsi.OpDataIn && pdu[1]&status != 0)
}

// answered returns a PDU of the target's as Sense has it.
func (p *Proxy) answered(pdu []byte) []byte {
	p.mu.Lock()
	sense := p.sense
	p.mu.Unlock()
	if !sense.applies(pdu) {
		return pdu
	}
	const checkCondition, senseLen = 2, 18
	out := make([]byte, iscsi.BHSLen+2+senseLen)
	copy(out, pdu[:iscsi.BHSLen])
	// RFC 7143 11.4: completed at the target, no AHS, and no residual count. Of a read the tags
	// and numbers stand where those of a response do (11.7), but for LUN, target transfer tag,
	// and the number of the data.
	out[0] = byte(iscsi.OpSCSIResponse)
	clear(out[8:16])
	clear(out[20:24])
	clear(out[36:40])
	out[1], out[2], out[3] = 0x80, 0, checkCondition
	binary.BigEndian.PutUint32(out[4:], 2+senseLen)
	clear(out[44:iscsi.BHSLen])
	data := out[iscsi.BHSLen:]
	binary.BigEndian.PutUint16(data, senseLen)
	data[2], data[4], data[2+7] = 0x70, sense.key, senseLen-8 // current, in fixed format
	data[2+12], data[2+13] = sense.code, sense.qualifier
	return out
}

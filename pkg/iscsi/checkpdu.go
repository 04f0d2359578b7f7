package iscsi

// checkPDU verifies that p has the opcode op, no additional header, and the lengths in its header.
func checkPDU(p *PDU, op Opcode, section string) error {
	switch ahs, data := lengths(&p.BHS); {
	case p.Opcode() != op:
		return protocolErrorf(section, "%v instead of a %v", p.Opcode(), op)
	case ahs != 0 || len(p.AHS) != 0:
		return protocolErrorf(section, "%v with an additional header of %d bytes", op, max(ahs, len(p.AHS)))
	case data != len(p.Data):
		return protocolErrorf(section, "%v with %d bytes of data, its header says %d", op, len(p.Data), data)
	}
	return nil
}

// checkBare is checkPDU for a PDU without data.
func checkBare(p *PDU, op Opcode, section string) error {
	if err := checkPDU(p, op, section); err != nil {
		return err
	}
	if len(p.Data) != 0 {
		return protocolErrorf(section, "%v with a data segment of %d bytes", op, len(p.Data))
	}
	return nil
}

// checkLoginPDU is checkPDU with the limit that holds until full feature phase (RFC 7143 13.12).
func checkLoginPDU(p *PDU, op Opcode, section string) error {
	if err := checkPDU(p, op, section); err != nil {
		return err
	}
	if len(p.Data) > LoginDataLen {
		return protocolErrorf("13.12", "%v with a data segment of %d bytes, limit %d", op, len(p.Data), LoginDataLen)
	}
	return nil
}

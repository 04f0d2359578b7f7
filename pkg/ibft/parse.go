package ibft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Parse reads a table. Bytes behind its length are ignored. A table that is
// none, or is damaged, gives a zero Table; a structure that makes no sense is
// left out, and its *Error is joined with the others'. So the Table is usable
// with an error too.
func Parse(b []byte) (Table, error) {
	r, err := newReader(b)
	if err != nil {
		return Table{}, err
	}
	offsets, err := r.control()
	if err != nil {
		return Table{}, err
	}
	t := Table{OEM: text(string(b[oemAt:]), oemLen), Model: text(string(b[modelAt:]), modelLen)}
	t.Failover = b[tableHeaderLen+structHeaderLen-1]&1 != 0
	var errs []error
	for _, at := range offsets {
		if err := r.structure(&t, at); err != nil {
			errs = append(errs, err)
		}
	}
	return t, errors.Join(errs...)
}

// reader knows the table's bytes, cut to its length.
type reader struct{ b []byte }

func fail(at int, object, format string, args ...any) error {
	return &Error{at, object, fmt.Sprintf(format, args...)}
}

// newReader checks what makes bytes a table.
func newReader(b []byte) (*reader, error) {
	if len(b) < tableHeaderLen {
		return nil, fail(0, "table", "%d bytes, too short for a header of %d", len(b), tableHeaderLen)
	}
	if !slices.Contains(signatures(), string(b[:4])) {
		return nil, fail(0, "table", "signature %q, want iBFT", b[:4])
	}
	n := binary.LittleEndian.Uint32(b[lengthAt:])
	if n < tableHeaderLen+controlLen || n > maxTable || int(n) > len(b) {
		return nil, fail(lengthAt, "table", "length %d, want %d to %d", n, tableHeaderLen+controlLen, min(len(b), maxTable))
	}
	var sum byte
	for _, c := range b[:n] {
		sum += c
	}
	if sum != 0 {
		return nil, fail(checksumAt, "table", "checksum: the bytes add up to %#02x instead of 0", sum)
	}
	return &reader{b[:n]}, nil
}

// control returns where the structures are.
//
//	struct acpi_ibft_control { struct acpi_ibft_header header; u16 extensions;
//	  u16 initiator_offset; u16 nic0_offset; u16 target0_offset;
//	  u16 nic1_offset; u16 target1_offset; };
//
// A longer one has more offsets; the type is in what they lead to.
func (r *reader) control() ([]int, error) {
	const at = tableHeaderLen
	b, err := r.header(at, "control", typeControl, controlLen)
	if err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	var offsets []int
	for i := structHeaderLen + 2; i+2 <= n; i += 2 {
		off := int(binary.LittleEndian.Uint16(r.b[at+i:]))
		if off != 0 && !slices.Contains(offsets, off) {
			offsets = append(offsets, off)
		}
		if len(offsets) > 2*maxList {
			return nil, fail(at+i, "control", "more than %d structures", 2*maxList)
		}
	}
	return offsets, nil
}

// header checks a structure's header and returns its bytes. A typ of 0 fits
// any.
func (r *reader) header(at int, object string, typ byte, want int) ([]byte, error) {
	if at < tableHeaderLen || at+structHeaderLen > len(r.b) {
		return nil, fail(at, object, "outside of the table of %d bytes", len(r.b))
	}
	n := int(binary.LittleEndian.Uint16(r.b[at+2:]))
	switch {
	case typ != 0 && r.b[at] != typ:
		return nil, fail(at, object, "type %d, want %d", r.b[at], typ)
	case n < want:
		return nil, fail(at+2, object, "length %d, want %d", n, want)
	case at+n > len(r.b):
		return nil, fail(at+2, object, "length %d goes beyond the table's end at %d", n, len(r.b))
	}
	return r.b[at : at+n], nil
}

// structure reads one structure into the table.
func (r *reader) structure(t *Table, at int) error {
	b, err := r.header(at, "structure", 0, structHeaderLen)
	if err != nil {
		return err
	}
	if Flags(b[5])&Valid == 0 {
		return nil
	}
	switch b[0] {
	case typeInitiator:
		return r.initiator(t, at)
	case typeNIC:
		return r.nic(t, at)
	case typeTarget:
		return r.target(t, at)
	}
	return nil // extensions, and what later versions add
}

// Each of the three follows its C structure; f counts the bytes off.

func (r *reader) initiator(t *Table, at int) error {
	f, err := r.fields(at, "initiator", typeInitiator, initiatorLen)
	if err != nil {
		return err
	}
	i := Initiator{Flags: f.flags, Index: f.index}
	i.ISNS, i.SLP, i.RADIUS, i.RADIUS2 = f.addr(), f.addr(), f.addr(), f.addr()
	i.Name = f.name(maxName)
	if f.err == nil && t.Initiator.Flags == 0 {
		t.Initiator = i
	}
	return f.err
}

func (r *reader) nic(t *Table, at int) error {
	f, err := r.fields(at, fmt.Sprintf("NIC %d", len(t.NICs)), typeNIC, nicLen)
	if err != nil {
		return err
	}
	n := NIC{Flags: f.flags, Index: f.index}
	n.Address = f.addr()
	n.PrefixLen = int(f.take(1)[0])
	if bits := n.Address.BitLen(); n.Address.IsValid() && n.PrefixLen > bits {
		f.fail("prefix length %d, an address has %d bits", n.PrefixLen, bits)
	}
	n.Origin = Origin(f.take(1)[0])
	n.Gateway, n.DNS, n.DNS2, n.DHCP = f.addr(), f.addr(), f.addr(), f.addr()
	n.VLAN = f.u16()
	if n.VLAN > maxVLAN {
		f.fail("VLAN %d, want 0 to %d", n.VLAN, maxVLAN)
	}
	copy(n.MAC[:], f.take(6))
	n.PCI = PCIAddress(f.u16())
	n.HostName = f.name(maxString)
	if len(t.NICs) == maxList {
		f.fail("more than %d NICs", maxList)
	}
	if f.err == nil {
		t.NICs = append(t.NICs, n)
	}
	return f.err
}

func (r *reader) target(t *Table, at int) error {
	f, err := r.fields(at, fmt.Sprintf("target %d", len(t.Targets)), typeTarget, targetLen)
	if err != nil {
		return err
	}
	g := Target{Flags: f.flags, Index: f.index}
	addr := f.addr()
	g.Portal = netip.AddrPortFrom(addr, f.u16())
	g.LUN = iscsi.LUN(binary.BigEndian.Uint64(f.take(8)))
	g.CHAP = CHAPType(f.take(1)[0])
	g.NIC = f.take(1)[0]
	g.Name = f.name(maxName)
	g.User, g.Secret = f.name(maxString), f.secret()
	g.ReverseUser, g.ReverseSecret = f.name(maxString), f.secret()
	if len(t.Targets) == maxList {
		f.fail("more than %d targets", maxList)
	}
	if f.err == nil {
		f.err = checkTarget(at, f.object, &g)
	}
	if f.err == nil {
		t.Targets = append(t.Targets, g)
	}
	return f.err
}

// checkTarget verifies what a login needs, and drops what the CHAP type says
// not to use.
func checkTarget(at int, object string, g *Target) error {
	switch {
	case g.Name == "":
		return fail(at, object, "no target name")
	case !g.Portal.Addr().IsValid():
		return fail(at, object, "no address of target %s", g.Name)
	case g.Portal.Port() == 0:
		return fail(at, object, "port 0 of target %s", g.Name)
	case g.CHAP > MutualCHAP:
		return fail(at, object, "CHAP type %d, want 0 to %d", uint8(g.CHAP), MutualCHAP)
	case g.CHAP >= OneWayCHAP && (g.User == "" || g.Secret.Empty()):
		return fail(at, object, "CHAP without user or secret")
	case g.CHAP == MutualCHAP && g.ReverseSecret.Empty():
		return fail(at, object, "mutual CHAP without the target's secret")
	}
	if g.CHAP < MutualCHAP {
		g.ReverseUser, g.ReverseSecret = "", iscsi.Secret{}
	}
	if g.CHAP < OneWayCHAP {
		g.User, g.Secret = "", iscsi.Secret{}
	}
	return nil
}

// text cuts a field of n bytes at its padding and replaces what cannot be
// shown.
func text(s string, n int) string {
	s = strings.TrimRight(s[:min(n, len(s))], "\x00 ")
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f {
			return '?'
		}
		return c
	}, s)
}

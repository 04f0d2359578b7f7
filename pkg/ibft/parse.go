package ibft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Parse reads a table. Bytes behind its length are ignored. What is no table, or has another
// checksum, gives a zero Table and an *Error. A structure or a field that makes no sense is left
// out, as the kernel does (drivers/firmware/iscsi_ibft.c: ibft_create_kobject), and named in
// Oddities: the Table holds the rest.
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
	for _, at := range offsets {
		if err := r.structure(&t, at); err != nil {
			r.odd = append(r.odd, err)
		}
	}
	return t, r.odd.orNil()
}

// reader holds the table's bytes, cut to its length, and collects what is odd.
type reader struct {
	b   []byte
	odd Oddities
}

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
	return &reader{b: b[:n]}, nil
}

// control returns where the structures are.
//
//	struct acpi_ibft_control { struct acpi_ibft_header header; u16 extensions;
//	  u16 initiator_offset; u16 nic0_offset; u16 target0_offset;
//	  u16 nic1_offset; u16 target1_offset; };
//
// A longer one has more offsets; the type is in what they lead to. Where its length makes no sense
// it is that of the specification.
func (r *reader) control() ([]int, error) {
	const at = tableHeaderLen
	if r.b[at] != typeControl {
		return nil, fail(at, "control", "type %d, want %d", r.b[at], typeControl)
	}
	n := controlLen
	if b, err := r.header(at, "control", typeControl, controlLen); err != nil {
		r.odd = append(r.odd, err)
	} else {
		n = len(b)
	}
	var offsets []int
	for i := structHeaderLen + 2; i+2 <= n; i += 2 {
		off := int(binary.LittleEndian.Uint16(r.b[at+i:]))
		if off != 0 && !slices.Contains(offsets, off) {
			offsets = append(offsets, off)
		}
		if len(offsets) > maxStructures {
			r.odd = append(r.odd, fail(at+i, "control", "more than %d structures", maxStructures))
			return offsets[:maxStructures], nil
		}
	}
	return offsets, nil
}

// inside reports whether a structure's header is in the table.
func (r *reader) inside(at int, object string) error {
	if at < tableHeaderLen || at+structHeaderLen > len(r.b) {
		return fail(at, object, "outside of the table of %d bytes", len(r.b))
	}
	return nil
}

// header checks a structure's header and returns its bytes, at least those that are needed: a
// length that goes beyond the table is ignored if they are in it.
func (r *reader) header(at int, object string, typ byte, want int) ([]byte, error) {
	if err := r.inside(at, object); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint16(r.b[at+2:]))
	var beyond error
	if at+n > len(r.b) {
		beyond = fail(at+2, object, "length %d goes beyond the table's end at %d", n, len(r.b))
	}
	switch {
	case r.b[at] != typ:
		return nil, fail(at, object, "type %d, want %d", r.b[at], typ)
	case n < want:
		return nil, fail(at+2, object, "length %d, want %d", n, want)
	case beyond != nil && at+want > len(r.b):
		return nil, beyond
	case beyond != nil:
		r.odd, n = append(r.odd, beyond), want
	}
	return r.b[at : at+n], nil
}

// structure reads one structure into the table. One that is not marked valid is ignored, with any
// content.
func (r *reader) structure(t *Table, at int) error {
	if err := r.inside(at, "structure"); err != nil {
		return err
	}
	if Flags(r.b[at+5])&Valid == 0 {
		return nil
	}
	switch r.b[at] {
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
	if i.Name = f.name(maxName); i.Name == "" {
		f.fail("no initiator name")
	}
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
		f.pass("prefix length %d, an address has %d bits", n.PrefixLen, bits)
		n.PrefixLen = 0
	}
	n.Origin = Origin(f.take(1)[0])
	n.Gateway, n.DNS, n.DNS2, n.DHCP = f.addr(), f.addr(), f.addr(), f.addr()
	n.VLAN = f.u16()
	if n.VLAN > maxVLAN {
		f.fail("VLAN %d, want 0 to %d", n.VLAN, maxVLAN)
	}
	copy(n.MAC[:], f.take(6))
	n.PCI = PCIAddress(f.u16())
	n.HostName = f.optional(maxString)
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
		var odd []error
		odd, f.err = checkTarget(at, f.object, &g)
		r.odd = append(r.odd, odd...)
	}
	if f.err == nil {
		t.Targets = append(t.Targets, g)
	}
	return f.err
}

// text cuts a field of n bytes at its padding and replaces what cannot be shown.
func text(s string, n int) string {
	s = strings.TrimRight(s[:min(n, len(s))], "\x00 ")
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f {
			return '?'
		}
		return c
	}, s)
}

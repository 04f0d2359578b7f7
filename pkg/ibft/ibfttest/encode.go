// Package ibfttest writes an iBFT as a firmware would, for tests.
package ibfttest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/iscsiroot/iscsiroot/pkg/ibft"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Where the fields of the table's header are, how long it and the header of a structure are, and
// the structures' types and lengths (Microsoft's iSCSI Boot Firmware Table, version 1.02; the
// kernel's drivers/firmware/iscsi_ibft.c).
const (
	tableHeaderLen  = 48
	structHeaderLen = 6

	lengthAt   = 4
	revisionAt = 8
	checksumAt = 9
	oemAt      = 10
	oemLen     = 6
	modelAt    = 16
	modelLen   = 8

	typeControl   = 1
	typeInitiator = 2
	typeNIC       = 3
	typeTarget    = 4

	initiatorLen = 74
	nicLen       = 102
	targetLen    = 54

	maxTable = 64 << 10 // offsets have 16 bits
	maxList  = 32       // what ibft.Parse takes of NICs, and of targets
)

// Encode writes a table, with its checksum. What [ibft.Parse] read, Encode writes so that it reads
// the same again. Every structure is marked valid. It fails if the table does not fit into 64 KiB.
func Encode(t ibft.Table) ([]byte, error) {
	if len(t.NICs) > maxList || len(t.Targets) > maxList {
		return nil, fmt.Errorf("encode iBFT: %d NICs and %d targets, limit %d", len(t.NICs), len(t.Targets), maxList)
	}
	pairs := max(2, len(t.NICs), len(t.Targets))
	w := &writer{control: tableHeaderLen + structHeaderLen + 2}
	n := structHeaderLen + 2 + 2 + 4*pairs
	w.b = make([]byte, align(tableHeaderLen+n))
	w.tableHeader(t)
	copy(w.b[tableHeaderLen:], []byte{typeControl, 1, byte(n), byte(n >> 8), 0, byte(ibft.Valid) * b2u(t.Failover)})
	w.initiator(t.Initiator)
	for i := range pairs {
		w.nic(t.NICs, i)
		w.target(t.Targets, i)
	}
	for _, s := range w.strings { // behind all structures, each with a NUL
		binary.LittleEndian.PutUint16(w.b[s.at:], uint16(len(w.b)))
		w.b = append(append(w.b, s.text...), 0)
	}
	if len(w.b) >= maxTable {
		return nil, fmt.Errorf("encode iBFT: %d bytes, limit %d", len(w.b), maxTable-1)
	}
	binary.LittleEndian.PutUint32(w.b[lengthAt:], uint32(len(w.b)))
	var sum byte
	for _, c := range w.b {
		sum += c
	}
	w.b[checksumAt] = -sum
	return w.b, nil
}

func b2u(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// align rounds up to 8 bytes, as the specification requires of structures.
func align(n int) int { return (n + 7) &^ 7 }

// writer builds the table; control is where the next offset goes, strings what is still to be
// written and where its offset goes.
type writer struct {
	b       []byte
	control int
	strings []struct {
		at   int
		text []byte
	}
}

func (w *writer) tableHeader(t ibft.Table) {
	copy(w.b, "iBFT")
	w.b[revisionAt] = 1
	copy(w.b[oemAt:oemAt+oemLen], t.OEM)
	copy(w.b[modelAt:modelAt+modelLen], t.Model)
}

// begin starts a structure and enters it in the control structure.
func (w *writer) begin(typ byte, n int, index uint8, flags ibft.Flags) {
	w.b = append(w.b, make([]byte, align(len(w.b))-len(w.b))...)
	binary.LittleEndian.PutUint16(w.b[w.control:], uint16(len(w.b)))
	w.control += 2
	w.b = append(w.b, typ, 1, byte(n), byte(n>>8), index, byte(flags|ibft.Valid))
}

func (w *writer) u16(n uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, n) }

func (w *writer) addr(addrs ...netip.Addr) {
	for _, a := range addrs {
		if !a.IsValid() {
			a = netip.IPv6Unspecified()
		}
		b := a.As16()
		w.b = append(w.b, b[:]...)
	}
}

func (w *writer) text(s []byte) {
	w.u16(uint16(len(s)))
	if len(s) > 0 {
		w.strings = append(w.strings, struct {
			at   int
			text []byte
		}{len(w.b), s})
	}
	w.u16(0)
}

func (w *writer) initiator(i ibft.Initiator) {
	if i == (ibft.Initiator{}) {
		w.control += 2
		return
	}
	w.begin(typeInitiator, initiatorLen, i.Index, i.Flags)
	w.addr(i.ISNS, i.SLP, i.RADIUS, i.RADIUS2)
	w.text([]byte(i.Name))
}

func (w *writer) nic(nics []ibft.NIC, i int) {
	if i >= len(nics) {
		w.control += 2
		return
	}
	n := nics[i]
	w.begin(typeNIC, nicLen, n.Index, n.Flags)
	w.addr(n.Address)
	w.b = append(w.b, byte(n.PrefixLen), byte(n.Origin))
	w.addr(n.Gateway, n.DNS, n.DNS2, n.DHCP)
	w.u16(n.VLAN)
	w.b = append(w.b, n.MAC[:]...)
	w.u16(uint16(n.PCI))
	w.text([]byte(n.HostName))
}

func (w *writer) target(targets []ibft.Target, i int) {
	if i >= len(targets) {
		w.control += 2
		return
	}
	g := targets[i]
	w.begin(typeTarget, targetLen, g.Index, g.Flags)
	w.addr(g.Portal.Addr())
	w.u16(g.Portal.Port())
	lun := g.LUN.Bytes()
	w.b = append(w.b, lun[:]...)
	w.b = append(w.b, byte(g.CHAP), g.NIC)
	w.text([]byte(g.Name))
	for _, s := range []struct {
		user   string
		secret iscsi.Secret
	}{{g.User, g.Secret}, {g.ReverseUser, g.ReverseSecret}} {
		w.text([]byte(s.user))
		w.text(s.secret.Bytes())
	}
}

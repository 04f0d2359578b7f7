package blockdev

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// Layout of vital product data page 0x83 and its designation descriptors (SPC-4 section 7.8.6).
const (
	vpdHeader     = 4 // peripheral, page code, length (2 bytes)
	vpdPage       = 0x83
	vpdDescriptor = 4 // code set, type, reserved, length
	vpdMax        = 64 << 10

	vpdAssociationMask = 0x30 // 0: of the logical unit; others are of ports and targets
	vpdT10             = 1    // T10 vendor ID
	vpdEUI64           = 2
	vpdNAA             = 3
)

// parseIDs returns the names that udev and sg3-utils give a disk below /dev/disk/by-id for its
// designators: scsi-3HEX and wwn-0xHEX of an NAA name, scsi-2HEX of an EUI-64, scsi-1TEXT of a T10
// vendor ID.
func parseIDs(b []byte) []string {
	if len(b) < vpdHeader || len(b) > vpdMax || b[1] != vpdPage {
		return nil
	}
	end := vpdHeader + int(binary.BigEndian.Uint16(b[2:]))
	b = b[vpdHeader:min(end, len(b))]
	var out []string
	for len(b) >= vpdDescriptor {
		n := vpdDescriptor + int(b[3])
		if n > len(b) {
			break
		}
		id := b[vpdDescriptor:n]
		if b[1]&vpdAssociationMask == 0 && len(id) > 0 {
			switch b[1] & 0x0f {
			case vpdNAA:
				out = append(out, "scsi-3"+hex.EncodeToString(id), "wwn-0x"+hex.EncodeToString(id))
			case vpdEUI64:
				out = append(out, "scsi-2"+hex.EncodeToString(id))
			case vpdT10:
				out = append(out, "scsi-1"+idText(id))
			}
		}
		b = b[n:]
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// idText writes a vendor's text as udev does: blanks in succession become one underscore, those at
// the end are removed, and so are characters that udev does not allow.
func idText(b []byte) string {
	words := strings.FieldsFunc(string(b), func(r rune) bool { return r <= ' ' })
	return strings.Map(func(r rune) rune {
		if r == '/' || r >= 0x7f {
			return '_'
		}
		return r
	}, strings.Join(words, "_"))
}

package blockdev

import (
	"encoding/hex"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// parseIDs returns the names that udev and sg3-utils give a disk below /dev/disk/by-id for the
// designators in page 0x83: scsi-3HEX and wwn-0xHEX of an NAA name, scsi-2HEX of an EUI-64,
// scsi-1TEXT of a T10 vendor ID.
func parseIDs(page []byte) []string {
	var out []string
	for _, d := range multipath.Designators(page) {
		text := d.Text()
		if text == "" {
			continue
		}
		out = append(out, "scsi-"+text)
		if d.Type == multipath.NAA && !d.ASCII {
			out = append(out, "wwn-0x"+hex.EncodeToString(d.Bytes))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

package blockdev

import (
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// Find returns the devices that want names, several if they are copies of each
// other. It does not know of sessions: bootspec.BySession and bootspec.ByPath
// find nothing.
func Find(infos []Info, want bootspec.Device) []Info {
	var out []Info
	for _, i := range infos {
		if !i.is(want) {
			continue
		}
		if want.Offset == 0 {
			out = append(out, i)
			continue
		}
		for _, other := range infos {
			if other.Disk == i.Disk && other.Partition == i.Partition+want.Offset && other.Partition > 0 {
				out = append(out, other)
			}
		}
	}
	return out
}

// is tells whether want names the device, leaving its offset aside.
func (i Info) is(want bootspec.Device) bool {
	switch want.By {
	case bootspec.ByNode:
		return i.Name == want.Text
	case bootspec.ByNumber:
		return i.Major == want.Major && i.Minor == want.Minor
	case bootspec.ByUUID:
		return strings.EqualFold(i.FS.UUID, want.Text)
	case bootspec.ByLabel:
		return i.FS.Label == want.Text
	case bootspec.ByPartUUID:
		return strings.EqualFold(i.PartUUID, want.Text)
	case bootspec.ByPartLabel:
		return i.PartLabel == want.Text
	case bootspec.ByID:
		return i.Partition == want.Partition && slices.Contains(i.IDs, want.Text)
	}
	return false
}

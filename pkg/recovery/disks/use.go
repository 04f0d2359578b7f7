package disks

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

// multipath reports whether a multipath map is built on the disk, directly or indirectly: an error
// is better than a wait, since there is another path (multipath-tools libmultipath/devmapper.c:
// UUID_PREFIX).
func (d disk) multipath(sys string) bool {
	return d.Disk != "" && slices.ContainsFunc(blockdev.Holders(sys, d.Disk), func(name string) bool {
		return strings.HasPrefix(readString(filepath.Join(sys, "class/block", name, "dm/uuid")), "mpath-")
	})
}

package boot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/udevdb"
)

// announceArrays writes mdadm's list of the arrays that root stands on: with it they keep their
// names and numbers in the real system, and udev makes the same link below /dev/md (mdadm's
// mapfile.c; udev-md-raid-arrays.rules). It writes udev's records of them too.
func announceArrays(made []arrays.Made, run string) error {
	path := filepath.Join(run, "mdadm/map")
	if len(made) == 0 {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) { // of an earlier hand-over
			return err
		}
		return nil
	}
	var text strings.Builder
	var records []udevdb.Record
	for _, m := range made {
		if minor, err := strconv.ParseUint(strings.TrimPrefix(m.Node, "md"), 10, 20); err == nil {
			records = append(records, udevdb.Array(uint32(minor)))
		}
		fmt.Fprintf(&text, "%s %s %s %s\n", m.Node, m.Metadata, mapUUID(m.Set), m.Path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fresh := path + ".new" // mdadm has the same
	if err := os.WriteFile(fresh, []byte(text.String()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return udevdb.Write(run, records, "")
}

// mapUUID is an array's UUID as the list has it: as four numbers of the machine, where mdadm shows
// the bytes in their order elsewhere (mapfile.c: map_write; super1.c: uuid_from_super1). By another
// one mdadm does not find the array that runs, and takes a member that comes back for a new array.
func mapUUID(set md.UUID) string {
	var words []string
	for i := 0; i < len(set); i += 4 {
		words = append(words, fmt.Sprintf("%08x", binary.NativeEndian.Uint32(set[i:])))
	}
	return strings.Join(words, ":")
}

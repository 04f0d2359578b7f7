package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
	"github.com/iscsiroot/iscsiroot/pkg/udevdb"
)

// announceArrays writes mdadm's list of the arrays that root stands on: with it they keep their
// names and numbers in the real system, and udev makes the same link below /dev/md (mdadm's
// mapfile.c; udev-md-raid-arrays.rules). It writes udev's records of them too.
func announceArrays(made []arrays.Made, run string) error {
	if len(made) == 0 {
		return nil
	}
	var text strings.Builder
	var records []udevdb.Record
	for _, m := range made {
		if minor, err := strconv.ParseUint(strings.TrimPrefix(m.Node, "md"), 10, 20); err == nil {
			records = append(records, udevdb.Array(uint32(minor)))
		}
		fmt.Fprintf(&text, "%s %s %s %s\n", m.Node, m.Metadata, m.Set, m.Path)
	}
	path := filepath.Join(run, "mdadm/map")
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

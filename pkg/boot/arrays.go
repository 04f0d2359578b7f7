package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/rootfs/arrays"
)

// announceArrays writes mdadm's list of the arrays that root stands on: with it they keep their
// names and numbers in the real system, and udev makes the same link below /dev/md (mdadm's
// mapfile.c; udev-md-raid-arrays.rules).
func announceArrays(made []arrays.Made, run string) error {
	if len(made) == 0 {
		return nil
	}
	var text strings.Builder
	for _, m := range made {
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
	return nil
}

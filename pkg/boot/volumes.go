package boot

import (
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
	"github.com/iscsiroot/iscsiroot/pkg/udevdb"
)

// announceVolumes writes in /run the records and rules for udev of the devices that root stands on:
// without it systemd takes them for devices that are not ready.
func announceVolumes(made []volumes.Made, root, run string) error {
	var records []udevdb.Record
	var links []udevdb.Link
	for _, d := range made {
		records = append(records, udevdb.DM(d.Number.Major, d.Number.Minor, d.Hidden))
		if d.Volume != "" {
			links = append(links, udevdb.Link{Device: d.Name, Path: d.Volume})
		}
	}
	rules := ""
	if len(made) > 0 && !udevdb.HasRules(os.DirFS(root)) {
		var err error
		if rules, err = udevdb.Rules(links); err != nil {
			return err
		}
	}
	return udevdb.Write(run, records, rules)
}

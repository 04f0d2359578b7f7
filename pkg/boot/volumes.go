package boot

import (
	"errors"
	"os"

	"github.com/iscsiroot/iscsiroot/pkg/rootfs"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
	"github.com/iscsiroot/iscsiroot/pkg/udevdb"
)

// announceDM writes in /run the records and rules for udev of the devices of device-mapper that
// were made, for root and of paths: without it systemd takes them for devices that are not ready.
// An error of one file does not keep the others from being written.
func announceDM(made []volumes.Made, maps []rootfs.MadeMap, root, run string) error {
	records, failed := announceMaps(maps, run)
	var links []udevdb.Link
	for _, d := range made {
		records = append(records, udevdb.DM(d.Number.Major, d.Number.Minor, d.Hidden))
		if d.Volume != "" {
			links = append(links, udevdb.Link{Device: d.Name, Path: d.Volume})
		}
	}
	rules := ""
	if len(records) > 0 && !udevdb.HasRules(os.DirFS(root)) {
		var err error
		if rules, err = udevdb.Rules(links); err != nil {
			return errors.Join(failed, err)
		}
	}
	return errors.Join(failed, udevdb.Write(run, records, rules))
}

// announceMaps writes the rules for multipath maps and their paths, and returns the records of the
// maps and their partitions. By the record multipathd takes a map for one that is complete, and
// does not load its table again.
func announceMaps(maps []rootfs.MadeMap, run string) (records []udevdb.Record, _ error) {
	ready := udevdb.Property{Key: "MPATH_DEVICE_READY", Value: "1"}
	var all []udevdb.Map
	for _, m := range maps {
		records = append(records, udevdb.DM(m.Number.Major, m.Number.Minor, false, ready))
		one := udevdb.Map{Device: m.Name, Name: m.Map, WWID: string(m.ID), Attribute: m.Attribute}
		for _, p := range m.Partitions {
			records = append(records, udevdb.DM(p.Number.Major, p.Number.Minor, false))
			one.Partitions = append(one.Partitions, p.Partition.Number)
		}
		all = append(all, one)
	}
	rules, err := udevdb.MapRules(all)
	if err != nil || rules == "" {
		return records, err
	}
	return records, udevdb.WriteMapRules(run, rules)
}

package udevdb

import (
	"fmt"
	"path/filepath"
	"strings"
)

// mapRulesPath is below /run. Its number puts it before the rules that make links to disks
// (60-persistent-storage.rules).
const mapRulesPath = "udev/rules.d/59-iscsiroot-multipath.rules"

// Map is a multipath map that was made before udev ran.
type Map struct {
	Device string // the kernel's name: "dm-0"
	Name   string // in device-mapper
	WWID   string // as scsi_id has it: "3600140..."
	// Attribute is the text of the paths' attribute wwid in sysfs, if all disks that have it
	// are paths of the map: "naa.600140..."; "": it is not used.
	Attribute string
	// Partitions are their numbers; the partition N is NAME-partN in device-mapper.
	Partitions []int
}

// pathHead is for the disks that are paths, and their partitions: no links lead to them, and
// nothing is to be mounted or activated from them (multipath-tools multipath/multipath.rules.in has
// the same). Of those that come later an attribute tells what they are.
const pathHead = `# Written at boot by iscsiroot: links lead to multipath maps, and not to their paths.
ACTION=="remove", GOTO="iscsiroot_multipath_end"
SUBSYSTEM!="block", GOTO="iscsiroot_multipath_end"
KERNEL=="dm-[0-9]*", GOTO="iscsiroot_multipath_maps"
KERNEL!="sd*", GOTO="iscsiroot_multipath_end"
`

const pathTail = `ENV{DM_MULTIPATH_DEVICE_PATH}!="1", GOTO="iscsiroot_multipath_end"
ENV{SYSTEMD_READY}="0", ENV{ID_FS_TYPE}="mpath_member", ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1"
GOTO="iscsiroot_multipath_end"

LABEL="iscsiroot_multipath_maps"
ATTR{dm/uuid}=="mpath-?*|part*-mpath-?*", OPTIONS+="link_priority=50"
`

// MapRules is a file of rules for a root with multipath maps, also for one that has no
// multipath-tools; "": there is no map.
func MapRules(all []Map) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	var paths, links strings.Builder
	for _, m := range all {
		if !plain(m.Device) || !plain(m.Name) || !plain(m.WWID) {
			return "", fmt.Errorf("udev rule for multipath map %q of %q: character not allowed", m.Name, m.WWID)
		}
		for _, dir := range []string{"", "../"} { // of a partition it is the disk
			fmt.Fprintf(&paths, "TEST==%q, ENV{DM_MULTIPATH_DEVICE_PATH}=\"1\"\n", dir+"holders/"+m.Device)
		}
		if m.Attribute != "" && plain(m.Attribute) {
			fmt.Fprintf(&paths, "ATTRS{wwid}==%q, ENV{DM_MULTIPATH_DEVICE_PATH}=\"1\"\n", m.Attribute)
		}
		ids := []string{"scsi-" + m.WWID}
		if naa, ok := strings.CutPrefix(m.WWID, "3"); ok {
			ids = append(ids, "wwn-0x"+naa)
		}
		for _, id := range ids { // as multipath-tools kpartx/dm-parts.rules and kpartx.rules.in make them
			fmt.Fprintf(&links, "ATTR{dm/name}==%q, SYMLINK+=%q\n", m.Name, "disk/by-id/"+id)
			for _, n := range m.Partitions {
				fmt.Fprintf(&links, "ATTR{dm/name}==\"%s-part%d\", SYMLINK+=\"disk/by-id/%s-part%d\"\n", m.Name, n, id, n)
			}
		}
	}
	return pathHead + paths.String() + pathTail + links.String() + "\nLABEL=\"iscsiroot_multipath_end\"\n", nil
}

// WriteMapRules writes the rules below run, which is /run.
func WriteMapRules(run, rules string) error { return replace(filepath.Join(run, mapRulesPath), rules) }

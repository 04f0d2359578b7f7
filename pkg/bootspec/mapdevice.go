package bootspec

import (
	"strconv"
	"strings"
)

// The links that udev makes of multipath maps (multipath-tools: 11-dm-mpath.rules,
// kpartx.rules; lvm2: 13-dm-disk.rules).
const (
	mapByName = "dm-name-"
	mapByUUID = "dm-uuid-"
	mapPrefix = "mpath-" // of the uuid in device-mapper
)

// maxWWID is the longest name of a map, such that its partitions have names too
// (uapi/linux/dm-ioctl.h: DM_NAME_LEN 128, with a NUL; DM_UUID_LEN 129).
const maxWWID = 127 - len("part255-"+mapPrefix)

// isWWID reports whether a text can be the WWID of a LUN, as scsi_id and multipath(8) write it: a
// digit for the type of the designator, or S for a serial number, and the designator.
func isWWID(s string) bool {
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"'\/,`, c) })
	return len(s) > 1 && len(s) <= maxWWID && !odd && (s[0] >= '0' && s[0] <= '9' || s[0] == 'S')
}

// isHexWWID reports whether a text can only be a WWID: the digit of a type, and a designator of
// eight bytes or more in hex.
func isHexWWID(s string) bool {
	return len(s) > 16 && len(s)%2 == 1 && len(s) <= maxWWID && strings.IndexByte("1238", s[0]) >= 0 && strings.Trim(s[1:], "0123456789abcdef") == ""
}

// parseMapName reads the name of a multipath map or of its partition in device-mapper: WWID,
// WWID-partN or, as kpartx(8) names it without a delimiter of its own, WWIDpN; and mpatha and the
// like, names that a file in the root assigns.
func parseMapName(s string) (Device, bool) {
	name, part, ok := cutPartition(s)
	if i := strings.LastIndexByte(s, 'p'); part == 0 && i > 0 && isHexWWID(s[:i]) {
		name = s[:i]
		part, ok = parsePartition(s[i+1:])
	}
	if isHexWWID(name) {
		return Device{By: ByMap, Text: name, Partition: part}, ok
	}
	letters, isFriendly := strings.CutPrefix(name, "mpath")
	if rest := strings.TrimRight(letters, "0123456789"); part == 0 && rest != letters { // mpatha2, mpathap2
		part, ok = parsePartition(letters[len(rest):])
		letters = strings.TrimSuffix(rest, "p")
		if letters == "" {
			letters = rest
		}
	}
	isFriendly = isFriendly && letters != "" && len(letters) <= 7 && strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz") == ""
	return Device{By: ByOnlyMap, Text: "mpath" + letters, Partition: part}, ok && isFriendly
}

// parseMapID reads the rest of a link below by-id behind dm-uuid-: mpath-WWID, and
// partN-mpath-WWID for a partition.
func parseMapID(s string) (Device, bool) {
	d := Device{By: ByMap}
	if rest, ok := strings.CutPrefix(s, "part"); ok {
		n, after, _ := strings.Cut(rest, "-")
		if d.Partition, ok = parsePartition(n); !ok {
			return d, false
		}
		s = after
	}
	wwid, ok := strings.CutPrefix(s, mapPrefix)
	d.Text = wwid
	return d, ok && isWWID(wwid)
}

// mapName is the inverse of parseMapName or parseMapID.
func (d Device) mapName() string {
	part := ""
	if d.Partition > 0 {
		part = "part" + strconv.Itoa(d.Partition)
	}
	switch {
	case d.By == ByMap && !isHexWWID(d.Text) && part != "":
		return "/dev/disk/by-id/" + mapByUUID + part + "-" + mapPrefix + d.Text
	case d.By == ByMap && !isHexWWID(d.Text):
		return "/dev/disk/by-id/" + mapByUUID + mapPrefix + d.Text
	case part != "":
		part = "-" + part
	}
	return "/dev/mapper/" + d.Text + part
}

// linkOfMap drops what Red Hat CoreOS puts before the label or the UUID of a file system in links
// to it on a multipath map (35coreos-multipath: dm-mpath-root).
func linkOfMap(name string) string {
	if rest, ok := strings.CutPrefix(name, "dm-mpath-"); ok && rest != "" {
		return rest
	}
	return name
}

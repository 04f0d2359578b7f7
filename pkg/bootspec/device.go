package bootspec

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// By is the way in which a root device is named.
type By int

// The ways to name a root device.
const (
	BySession   By = iota // /dev/sdXN: the X-th disk of the iSCSI sessions, in Spec order, and a partition
	ByNode                // /dev/NAME: the kernel's name of a disk that is not an iSCSI disk
	ByNumber              // MAJ:MIN, or both in hex as the kernel packs them
	ByUUID                // UUID= of the file system
	ByLabel               // LABEL= of the file system
	ByPartUUID            // PARTUUID= in the partition table
	ByPartLabel           // PARTLABEL= in a GPT
	ByPath                // /dev/disk/by-path/ip-PORTAL-iscsi-NAME-lun-N
	ByID                  // /dev/disk/by-id/scsi-... or wwn-0x...
	ByVolume              // /dev/VG/LV, /dev/mapper/VG-LV: a logical volume
	ByArray               // /dev/md127, /dev/md/NAME, /dev/disk/by-id/md-...: an md array, see Array
	ByMap                 // /dev/mapper/WWID, /dev/disk/by-id/dm-uuid-mpath-WWID: the multipath map of that WWID, or the disk that has it if there is no map
	ByOnlyMap             // /dev/mapper/mpatha: the multipath map, or the disk if there is no map; only if there is one of them: the name is assigned in the root
)

// Device names the device that root is on.
type Device struct {
	By By
	// Text is the UUID in lower case, the label, the name of the link below by-id, the target's
	// name, the node's, that in the device mapper, an array's below /dev, the WWID, or mpatha,
	// depending on By.
	Text string
	// Disk counts the disks of the iSCSI sessions, from 0.
	Disk int
	// Partition is 0 for the whole disk.
	Partition int
	// Offset is PARTNROFF, which is added to the partition's number.
	Offset int
	// Major and Minor are the device's number.
	Major, Minor uint32
	// Portal and LUN belong to a by-path name.
	Portal netip.AddrPort
	LUN    uint16
}

// deviceForms are for messages.
const deviceForms = "/dev/sdXN, where X counts the iSCSI disks, UUID=, LABEL=, PARTUUID=, PARTLABEL=, MAJ:MIN, a name below /dev/disk/, /dev/VG/LV, /dev/md/NAME, or /dev/mapper/WWID-partN"

// maxPartition is the largest partition number (block/partitions/check.h: DISK_MAX_PARTS).
const maxPartition = 255

// tags are the prefixes that udev's links and mount(8)'s tags have in common.
var tags = []struct {
	tag, link string
	parse     func(string) (Device, bool)
}{
	{"UUID=", "/dev/disk/by-uuid/", parseUUID},
	{"LABEL=", "/dev/disk/by-label/", parseLabel(ByLabel)},
	{"PARTUUID=", "/dev/disk/by-partuuid/", parsePartUUID},
	{"PARTLABEL=", "/dev/disk/by-partlabel/", parseLabel(ByPartLabel)},
}

// ParseDevice reads the name of a root device, or the first field of a line of fstab. ok is false
// if it has none of the known forms.
func ParseDevice(s string) (d Device, ok bool) {
	s = strings.TrimPrefix(s, "block:") // dracut's
	for _, t := range tags {
		if v, ok := strings.CutPrefix(s, t.tag); ok {
			return t.parse(unescape(unquote(v)))
		}
		if v, ok := strings.CutPrefix(s, t.link); ok {
			return t.parse(unescape(linkOfMap(v)))
		}
	}
	if v, ok := strings.CutPrefix(s, "/dev/disk/by-path/"); ok {
		return parsePath(v)
	}
	if v, ok := strings.CutPrefix(s, "/dev/disk/by-id/"); ok {
		return parseID(v)
	}
	if v, ok := strings.CutPrefix(s, "/dev/"); ok {
		return parseNode(v)
	}
	return parseNumber(s)
}

// unquote drops quotes around the value of a tag.
func unquote(s string) string {
	if n := len(s); n >= 2 && s[0] == s[n-1] && (s[0] == '"' || s[0] == '\'') {
		return s[1 : n-1]
	}
	return s
}

// unescape reads \xNN, as udev escapes bytes that a word cannot contain.
func unescape(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.Index(s, `\x`)
		if i < 0 || len(s) < i+4 {
			break
		}
		c, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteByte(byte(c))
		s = s[i+4:]
	}
	return b.String() + s
}

// escape is the inverse of unescape.
func escape(s string) string {
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError || r <= ' ' || r == 0x7f || strings.ContainsRune(`"'\`, r) {
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// isID reports whether s consists of characters of UUIDs, of any file system.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}

func parseUUID(s string) (Device, bool) {
	s = strings.ToLower(s)
	return Device{By: ByUUID, Text: s}, isID(s)
}

// maxLabel is longer than any file system's label (btrfs: 256 bytes, f2fs: 512 units of UTF-16).
const maxLabel = 2048

func parseLabel(by By) func(string) (Device, bool) {
	return func(s string) (Device, bool) {
		return Device{By: by, Text: s}, s != "" && len(s) <= maxLabel
	}
}

// parsePartUUID reads UUID[/PARTNROFF=n] (init/do_mounts.c: devt_from_partuuid).
func parsePartUUID(s string) (Device, bool) {
	s, offset, given := strings.Cut(strings.ToLower(s), "/partnroff=")
	d := Device{By: ByPartUUID, Text: s}
	if given {
		n, err := strconv.Atoi(offset)
		if err != nil || n < -maxPartition || n > maxPartition {
			return Device{}, false
		}
		d.Offset = n
	}
	return d, isID(s)
}

// parsePath reads udev's name of an iSCSI disk: ip-ADDRESS:PORT-iscsi-NAME-lun-N, optionally with
// -partN. An IPv6 address has no brackets there.
func parsePath(s string) (Device, bool) {
	s, part, ok := cutPartition(s)
	s, isIP := strings.CutPrefix(s, "ip-")
	portal, s, isISCSI := strings.Cut(s, "-iscsi-")
	i := strings.LastIndex(s, "-lun-")
	if !ok || !isIP || !isISCSI || i <= 0 {
		return Device{}, false
	}
	colon := strings.LastIndexByte(portal, ':')
	if colon < 0 {
		return Device{}, false
	}
	addr, err1 := netip.ParseAddr(strings.Trim(portal[:colon], "[]"))
	port, err2 := strconv.ParseUint(portal[colon+1:], 10, 16)
	lun, err3 := parseLUN(s[i+len("-lun-"):])
	if err1 != nil || err2 != nil || err3 != nil || addr.Zone() != "" || len(s[:i]) > maxName {
		return Device{}, false
	}
	return Device{By: ByPath, Text: unescape(s[:i]), Partition: part, Portal: netip.AddrPortFrom(addr, uint16(port)), LUN: lun}, true
}

// parseLUN reads a LUN as udev's path_id writes it: in decimal, and from 256 on as 16 digits of hex
// of which the first four are used.
func parseLUN(s string) (uint16, error) {
	base := 10
	if h, ok := strings.CutPrefix(s, "0x"); ok {
		s, base = strings.TrimSuffix(h, "000000000000"), 16
	}
	n, err := strconv.ParseUint(s, base, 16)
	return uint16(n), err
}

// parseID reads the names of the links that udev derives from VPD page 0x83 of a SCSI disk.
func parseID(s string) (Device, bool) {
	if strings.HasPrefix(s, "md-") {
		return parseArrayID(s)
	}
	if name, ok := strings.CutPrefix(s, mapByName); ok {
		return parseVolume("mapper/" + name)
	}
	if uuid, ok := strings.CutPrefix(s, mapByUUID); ok {
		return parseMapID(uuid)
	}
	s, part, ok := cutPartition(s)
	known := strings.HasPrefix(s, "scsi-") || strings.HasPrefix(s, "wwn-0x")
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '/' })
	return Device{By: ByID, Text: s, Partition: part}, ok && known && !odd && len(s) <= maxLabel
}

// cutPartition cuts -partN from the end of a link's name.
func cutPartition(s string) (string, int, bool) {
	i := strings.LastIndex(s, "-part")
	if i < 0 {
		return s, 0, true
	}
	n, ok := parsePartition(s[i+len("-part"):])
	return s[:i], n, ok
}

func parsePartition(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	return int(n), err == nil && n > 0 && s[0] != '0'
}

// parseNode reads a name below /dev: that of an iSCSI disk, or another name that a disk can have.
func parseNode(s string) (Device, bool) {
	if d, ok := parseArray(s); ok {
		return d, true
	}
	if strings.Contains(s, "/") {
		return parseVolume(s)
	}
	if rest, ok := strings.CutPrefix(s, "sd"); ok {
		return parseSession(rest)
	}
	disk := strings.HasPrefix(s, "vd") || strings.HasPrefix(s, "xvd") || strings.HasPrefix(s, "hd") ||
		strings.HasPrefix(s, "nvme") || strings.HasPrefix(s, "mmcblk") || strings.HasPrefix(s, "sr")
	plain := !strings.ContainsFunc(s, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'z') })
	return Device{By: ByNode, Text: s}, disk && plain && len(s) <= 31 // DISK_NAME_LEN 32
}

// parseSession reads the letters and the number of sdXN. Letters are numbered as in the kernel's
// sd_format_disk_name (drivers/scsi/sd.c): a to z, aa, ab and on.
func parseSession(s string) (Device, bool) {
	i := 0
	for i < len(s) && s[i] >= 'a' && s[i] <= 'z' {
		i++
	}
	if i == 0 || i > 3 {
		return Device{}, false
	}
	disk := 0
	for _, c := range s[:i] {
		disk = disk*26 + int(c-'a') + 1
	}
	d := Device{Disk: disk - 1}
	ok := true
	if digits := s[i:]; digits != "" {
		d.Partition, ok = parsePartition(digits)
	}
	return d, ok
}

// parseNumber reads MAJ:MIN or the kernel's packed hex (include/linux/kdev_t.h: new_decode_dev).
func parseNumber(s string) (Device, bool) {
	const maxMajor, maxMinor = 1<<12 - 1, 1<<20 - 1
	d := Device{By: ByNumber}
	if major, minor, ok := strings.Cut(s, ":"); ok {
		ma, err1 := strconv.ParseUint(major, 10, 32)
		mi, err2 := strconv.ParseUint(minor, 10, 32)
		d.Major, d.Minor = uint32(ma), uint32(mi)
		return d, err1 == nil && err2 == nil && ma > 0 && ma <= maxMajor && mi <= maxMinor
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 32)
	d.Major, d.Minor = uint32(n>>8&0xfff), uint32(n&0xff|n>>12&0xfff00)
	return d, err == nil && d.Major > 0
}

// letters is the inverse of parseSession.
func letters(disk int) string {
	s := ""
	for n := disk + 1; n > 0; n = (n - 1) / 26 {
		s = string(rune('a'+(n-1)%26)) + s
	}
	return s
}

// String writes the device so that ParseDevice reads it back. An iSCSI disk is named as the kernel
// would name it without other disks: /dev/sda2.
func (d Device) String() string {
	part := ""
	if d.Partition > 0 {
		part = strconv.Itoa(d.Partition)
	}
	link := part
	if part != "" {
		link = "-part" + part
	}
	switch d.By {
	case ByNode:
		return "/dev/" + d.Text
	case ByNumber:
		return fmt.Sprintf("%d:%d", d.Major, d.Minor)
	case ByUUID:
		return "UUID=" + d.Text
	case ByLabel:
		return "LABEL=" + escape(d.Text)
	case ByPartLabel:
		return "PARTLABEL=" + escape(d.Text)
	case ByPartUUID:
		if d.Offset != 0 {
			return fmt.Sprintf("PARTUUID=%s/PARTNROFF=%d", d.Text, d.Offset)
		}
		return "PARTUUID=" + d.Text
	case ByPath:
		return fmt.Sprintf("/dev/disk/by-path/ip-%s:%d-iscsi-%s-lun-%s%s", d.Portal.Addr(), d.Portal.Port(), escape(d.Text), formatLUN(d.LUN), link)
	case ByID:
		return "/dev/disk/by-id/" + d.Text + link
	case ByArray:
		return "/dev/" + d.Text + link
	case ByVolume:
		return "/dev/mapper/" + d.Text
	case ByMap, ByOnlyMap:
		return d.mapName()
	}
	return "/dev/sd" + letters(d.Disk) + part
}

// formatLUN is the inverse of parseLUN.
func formatLUN(lun uint16) string {
	if lun < 256 {
		return strconv.Itoa(int(lun))
	}
	return fmt.Sprintf("0x%04x000000000000", lun)
}

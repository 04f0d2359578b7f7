package udevdb

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// rulesPath is below /run. Of two files with the same name udev reads that in /etc, so that an
// administrator can replace it (udev(7), "Rules files"). Its number puts it before
// 99-systemd.rules, and where 60-persistent-storage.rules has the other kinds of disks: that leaves
// out dm devices.
const rulesPath = "udev/rules.d/60-iscsiroot-dm.rules"

// HasRules reports whether a root has the rules of the dmsetup package: upstream's name of them, or
// Debian's.
func HasRules(root fs.FS) bool {
	for _, dir := range []string{"usr/lib/udev/rules.d", "lib/udev/rules.d", "etc/udev/rules.d"} {
		for _, name := range []string{"10-dm.rules", "55-dm.rules"} {
			if _, err := fs.Stat(root, path.Join(dir, name)); err == nil {
				return true
			}
		}
	}
	return false
}

// Link is a name of a dm device below /dev, as LVM's "vg/root" for the device vg-root. The rules of
// the lvm2 package make them otherwise.
type Link struct{ Device, Path string }

// ruleHead does what 10-dm.rules does for a device that is set up. The flags have to be imported at
// each event, because the database then has what the event had. A suspended device would not answer
// blkid(8): it keeps its links.
const ruleHead = `# Written at boot by iscsiroot: this system has no rules for device-mapper (dmsetup).
ACTION=="remove", GOTO="iscsiroot_dm_end"
SUBSYSTEM!="block", GOTO="iscsiroot_dm_end"
KERNEL!="dm-[0-9]*", GOTO="iscsiroot_dm_end"

IMPORT{db}="DM_UDEV_PRIMARY_SOURCE_FLAG"
IMPORT{db}="DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG"
IMPORT{db}="DM_UDEV_DISABLE_DISK_RULES_FLAG"
IMPORT{db}="DM_UDEV_DISABLE_OTHER_RULES_FLAG"
ENV{DM_NAME}="$attr{dm/name}"
ENV{DM_UUID}="$attr{dm/uuid}"
ENV{DM_SUSPENDED}="$attr{dm/suspended}"
ENV{DM_NAME}=="?*", SYMLINK+="mapper/$env{DM_NAME}"

ENV{DM_UDEV_DISABLE_OTHER_RULES_FLAG}=="1", ENV{SYSTEMD_READY}="0"
ENV{DM_UDEV_DISABLE_DISK_RULES_FLAG}=="1", GOTO="iscsiroot_dm_end"
ENV{DM_NAME}=="?*", SYMLINK+="disk/by-id/dm-name-$env{DM_NAME}"
ENV{DM_UUID}=="?*", SYMLINK+="disk/by-id/dm-uuid-$env{DM_UUID}"
`

// ruleTail makes the links of 13-dm-disk.rules (in Debian 60-persistent-storage-dm.rules).
const ruleTail = `
ENV{DM_SUSPENDED}=="1", GOTO="iscsiroot_dm_suspended"
IMPORT{builtin}="blkid"
OPTIONS+="watch"
GOTO="iscsiroot_dm_links"

LABEL="iscsiroot_dm_suspended"
IMPORT{db}="ID_FS_USAGE"
IMPORT{db}="ID_FS_TYPE"
IMPORT{db}="ID_FS_UUID_ENC"
IMPORT{db}="ID_FS_LABEL_ENC"
IMPORT{db}="ID_PART_ENTRY_UUID"

LABEL="iscsiroot_dm_links"
ENV{ID_FS_USAGE}=="filesystem|other|crypto", ENV{ID_FS_UUID_ENC}=="?*", SYMLINK+="disk/by-uuid/$env{ID_FS_UUID_ENC}"
ENV{ID_FS_USAGE}=="filesystem|other", ENV{ID_FS_LABEL_ENC}=="?*", SYMLINK+="disk/by-label/$env{ID_FS_LABEL_ENC}"
ENV{ID_PART_ENTRY_UUID}=="?*", SYMLINK+="disk/by-partuuid/$env{ID_PART_ENTRY_UUID}"

LABEL="iscsiroot_dm_end"
`

// Rules is a file of rules for a root that has none, with further links of single devices.
func Rules(links []Link) (string, error) {
	var b strings.Builder
	b.WriteString(ruleHead)
	for _, l := range links {
		if !plain(l.Device) || !plain(l.Path) || !fs.ValidPath(l.Path) {
			return "", fmt.Errorf("udev rule for the link %q to dm device %q: character not allowed", l.Path, l.Device)
		}
		fmt.Fprintf(&b, "ENV{DM_NAME}==%q, SYMLINK+=%q\n", l.Device, l.Path)
	}
	b.WriteString(ruleTail)
	return b.String(), nil
}

// plain reports whether a text has only characters that a rule takes as they are: no quotes, no
// substitutions ($, %) and none of a pattern (udev(7)), and that udev allows in a link
// (src/basic/utf8.c: allow_listed_char_for_devnode).
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("#+-.:=@_/", c) >= 0) {
			return false
		}
	}
	return s != ""
}

package udevdb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Property is a key of a device and its value, as rules read them with IMPORT{db} (udev(7)).
type Property struct{ Key, Value string }

// Record is what the database has of a block device (src/libsystemd/sd-device/device-private.c:
// device_update_db).
type Record struct {
	Major, Minor uint32
	Properties   []Property
}

// The keys that the rules of device-mapper import when a device is announced at boot.
const (
	primarySource = "DM_UDEV_PRIMARY_SOURCE_FLAG" // it is set up
	noSubsystem   = "DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG"
	noDisk        = "DM_UDEV_DISABLE_DISK_RULES_FLAG"
	noOther       = "DM_UDEV_DISABLE_OTHER_RULES_FLAG"
	// noOtherCookie is imported in the place of noOther by newer rules (DM_UDEV_RULES_VSN 3),
	// which compute that one.
	noOtherCookie = "DM_COOKIE_DISABLE_OTHER_RULES_FLAG"
)

// DM is the record of a dm device that is set up. A hidden one, as the leg of a raid, gets no links
// but that in /dev/mapper, and is not ready for systemd. More are for rules of others, as
// MPATH_DEVICE_READY for those of multipath.
func DM(major, minor uint32, hidden bool, more ...Property) Record {
	r := Record{Major: major, Minor: minor, Properties: []Property{{primarySource, "1"}}}
	if hidden {
		r.Properties = append(r.Properties, Property{noSubsystem, "1"}, Property{noDisk, "1"}, Property{noOther, "1"}, Property{noOtherCookie, "1"})
	}
	r.Properties = append(r.Properties, more...)
	return r
}

// The major number of md arrays (include/uapi/linux/major.h: MD_MAJOR), and the key by which lvm2's
// rules know at boot that an array runs: without it a PV on the array is not ready, and no volume
// of its group is activated (69-lvm.rules; older: 69-lvm-metad.rules).
const (
	arrayMajor  = 9
	arrayActive = "LVM_MD_PV_ACTIVATED"
)

// Array is the record of an md array that runs.
func Array(minor uint32) Record {
	return Record{Major: arrayMajor, Minor: minor, Properties: []Property{{arrayActive, "1"}}}
}

// dataDir is below /run.
const dataDir = "udev/data"

// Path is the record's file below /run.
func (r Record) Path() string {
	return fmt.Sprintf("%s/b%d:%d", dataDir, r.Major, r.Minor)
}

// version is the format's (device-private.c: LATEST_UDEV_DATABASE_VERSION).
const version = "V:1"

// Text is the content of the file. An error is a property that a line cannot hold.
func (r Record) Text() (string, error) {
	var b strings.Builder
	for _, p := range r.Properties {
		if err := p.check(); err != nil {
			return "", fmt.Errorf("udev record b%d:%d: %w", r.Major, r.Minor, err)
		}
		b.WriteString("E:" + p.Key + "=" + p.Value + "\n")
	}
	b.WriteString(version + "\n")
	return b.String(), nil
}

var errProperty = errors.New("not a property")

// check: keys with a dot in front are not kept in the database.
func (p Property) check() error {
	ok := p.Key != "" && p.Key[0] != '.'
	for i := range len(p.Key) {
		c := p.Key[i]
		ok = ok && ('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-')
	}
	if !ok || p.Value == "" || strings.ContainsAny(p.Value, "\n\r\x00") {
		return fmt.Errorf("%s=%q: %w", strconv.Quote(p.Key), p.Value, errProperty)
	}
	return nil
}

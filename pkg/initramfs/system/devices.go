package system

import (
	"fmt"
	"slices"
	"strings"
)

// PV is a line of LVM's devices file (lvmdevices(8)): LVM uses a device only if a line has it.
type PV struct {
	IDType string // how the device is known again: "sys_wwid", "devname", "mpath_uuid"
	IDName string // by that
	Device string // its name when the line was written; empty: none
	PVID   string // of the physical volume, without hyphens; empty: none
	Part   string // the number of a partition; empty: the whole device
}

// The limits of the file's lines and fields are LVM's (lib/device/device_id.c: device_ids_read;
// PATH_MAX).
const (
	maxLines = 1 << 14
	maxField = 4096
)

// ParseDevices reads a devices file. Lines without IDTYPE, such as comments, the version and the
// host's id, are skipped, as LVM skips them.
func ParseDevices(text string) ([]PV, error) {
	var out []PV
	lines := 0
	for line := range strings.Lines(text) {
		if lines++; lines > maxLines {
			return nil, fmt.Errorf("it has more than %d lines", maxLines)
		}
		if pv, ok, err := parseDevice(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", lines, err)
		} else if ok {
			out = append(out, pv)
		}
	}
	return out, nil
}

func parseDevice(line string) (pv PV, ok bool, err error) {
	if strings.HasPrefix(line, "#") {
		return PV{}, false, nil
	}
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		if len(value) > maxField {
			return PV{}, false, fmt.Errorf("%s has more than %d bytes", key, maxField)
		}
		if value == "." { // LVM's word for none
			value = ""
		}
		switch key {
		case "IDTYPE":
			pv.IDType = value
		case "IDNAME":
			pv.IDName = value
		case "DEVNAME":
			pv.Device = value
		case "PVID":
			pv.PVID = value
		case "PART":
			pv.Part = value
		}
	}
	return pv, pv.IDType != "", nil
}

// Place returns the device's name, for a person.
func (p PV) Place() string {
	switch {
	case p.Device != "":
		return p.Device
	case p.IDName != "":
		return p.IDName
	}
	return p.PVID
}

// FollowsDisk reports whether the line is of one disk: a copy of the LUN has another identity, and
// a devname changes with the order of the disks.
func (p PV) FollowsDisk() bool {
	switch p.IDType {
	case "md_uuid", "crypt_uuid", "lvmlv_uuid", "loop_file": // they are of what is on the disk
		return false
	}
	return true
}

// BoundToDisk returns a warning if volumes are mounted whose physical volumes the system's LVM
// finds on one disk only, not on a copy of it; empty: it finds them.
func (s System) BoundToDisk() string {
	var places []string
	for _, pv := range s.Devices {
		if pv.FollowsDisk() {
			places = append(places, pv.Place()+" by "+pv.IDType)
		}
	}
	volumes := slices.ContainsFunc(s.Mounts, func(m Mount) bool { return m.Volume })
	if !volumes || len(places) == 0 {
		return ""
	}
	return "root's etc/lvm/devices/system.devices lists " + strings.Join(places, ", ") +
		": on a copy of that disk LVM of the real system finds no volume: run vgimportdevices there, or remove the file"
}

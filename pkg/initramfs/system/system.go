// Package system reads what an installed system, as the root file system that an image boots, asks
// of the image, and what in it does not bear a copy to another LUN.
package system

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// System is what the files of an installed system tell.
type System struct {
	Mounts  []Mount // of "/" and "/usr", which the image mounts
	Devices []PV    // that LVM of the system uses; nil: all that it finds
}

// Mount is a line of the system's etc/fstab.
type Mount struct {
	Spec, Dir, Type string
	Volume          bool // Spec names a logical volume
}

// maxFile bounds each file, in bytes.
const maxFile = 1 << 20

// Read reads the files below the directory that is the system's root. Those that do not exist tell
// nothing.
func Read(root fs.FS) (System, error) {
	var s System
	fstab, err := read(root, "etc/fstab")
	if err != nil {
		return s, err
	}
	for m := range mounts.Table(fstab) {
		if m.Source[0] == '#' || m.Dir != "/" && m.Dir != "/usr" {
			continue
		}
		d, ok := bootspec.ParseDevice(m.Source)
		s.Mounts = append(s.Mounts, Mount{m.Source, m.Dir, m.Type, ok && d.By == bootspec.ByVolume})
	}
	devices, err := read(root, "etc/lvm/devices/system.devices")
	if err != nil {
		return s, err
	}
	s.Devices, err = ParseDevices(devices)
	if err != nil {
		return s, fmt.Errorf("read etc/lvm/devices/system.devices: %w", err)
	}
	return s, nil
}

func read(root fs.FS, name string) (string, error) {
	b, err := regular.Read(root, name, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(b), nil
}

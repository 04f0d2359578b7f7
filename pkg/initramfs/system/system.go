// Package system reads what an installed system, as the root file system that an image boots, asks
// of the image, and what in it does not bear a copy to another LUN.
package system

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
	"github.com/iscsiroot/iscsiroot/pkg/mounts"
	"github.com/iscsiroot/iscsiroot/pkg/regular"
)

// System is what the files of an installed system tell.
type System struct {
	Mounts  []Mount   // of "/" and "/usr", which the image mounts
	Devices []PV      // that LVM of the system uses; nil: all that it finds
	Groups  []*lvm.VG // of vgcfgbackup(8), which LVM runs after each change; only root may read them
	Arrays  []Array   // of mdadm.conf
}

// Mount is a line of the system's etc/fstab.
type Mount struct {
	Spec, Dir, Type string
	Volume          bool   // Spec names a logical volume
	Was             string // what Spec named when Debian's installer wrote the line; empty: not known
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
	s.Mounts = parseMounts(fstab)
	devices, err := read(root, "etc/lvm/devices/system.devices")
	if err != nil {
		return s, err
	}
	if s.Devices, err = ParseDevices(devices); err != nil {
		return s, fmt.Errorf("read etc/lvm/devices/system.devices: %w", err)
	}
	if s.Groups, err = readGroups(root); err != nil {
		return s, err
	}
	for _, name := range []string{"etc/mdadm.conf", "etc/mdadm/mdadm.conf"} { // mdadm's, Debian's
		text, err := read(root, name)
		if err != nil {
			return s, err
		}
		arrays, err := ParseArrays(text)
		if err != nil {
			return s, fmt.Errorf("read %s: %w", name, err)
		}
		s.Arrays = append(s.Arrays, arrays...)
	}
	return s, nil
}

// parseMounts reads fstab. Above a line by UUID Debian's installer writes which device it was.
func parseMounts(fstab string) (out []Mount) {
	was := map[string]string{}
	for line := range strings.Lines(fstab) {
		if f := strings.Fields(line); len(f) >= 5 && f[0] == "#" && f[2] == "was" && f[3] == "on" {
			was[f[1]] = f[4]
		}
	}
	for m := range mounts.Table(fstab) {
		if m.Source[0] == '#' || m.Dir != "/" && m.Dir != "/usr" {
			continue
		}
		d, ok := bootspec.ParseDevice(m.Source)
		out = append(out, Mount{m.Source, m.Dir, m.Type, ok && d.By == bootspec.ByVolume, was[m.Dir]})
	}
	return out
}

// readGroups reads the copies of the metadata of volume groups.
func readGroups(root fs.FS) (out []*lvm.VG, err error) {
	const dir = "etc/lvm/backup"
	files, err := fs.ReadDir(root, dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		name := path.Join(dir, f.Name())
		text, err := read(root, name)
		if err != nil {
			return nil, err
		}
		vg, err := lvm.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		out = append(out, vg)
	}
	return out, nil
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

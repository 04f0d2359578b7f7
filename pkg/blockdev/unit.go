package blockdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// typeDisk is a direct access block device
// (include/scsi/scsi_proto.h: TYPE_DISK).
const typeDisk = 0

// Unit is a logical unit of a session as the kernel found it.
type Unit struct {
	LUN  uint64
	Type int    // SCSI peripheral device type; 0 is a disk, 12 a controller
	Disk string // name of its block device, "sda"; empty until there is one
	// Address is host, channel, target and LUN, as the kernel writes them:
	// "2:0:0:1".
	Address string
	// Absent: the target could have a device there, and has none now (SPC-4 6.6.2,
	// peripheral qualifier 001b), as arrays say of LUN 0 where nothing is mapped to
	// it. The kernel attaches such a unit, and no driver binds to it
	// (drivers/scsi/scsi_sysfs.c: scsi_bus_match).
	Absent bool
}

// IsDisk tells whether the unit is a disk, with a block device or before it.
func (u Unit) IsDisk() bool { return u.Type == typeDisk && !u.Absent }

// Units returns the logical units of session sid, by LUN. sys is the mount
// point of sysfs.
func Units(sys string, sid uint32) ([]Unit, error) {
	dir := filepath.Join(sys, "class/iscsi_session", "session"+strconv.FormatUint(uint64(sid), 10), "device")
	targets, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list units of session %d: %w", sid, err)
	}
	var units []Unit
	for _, t := range targets {
		if !strings.HasPrefix(t.Name(), "target") {
			continue
		}
		devs, err := os.ReadDir(filepath.Join(dir, t.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list units of session %d: %w", sid, err)
		}
		for _, d := range devs {
			if u, ok := readUnit(filepath.Join(dir, t.Name(), d.Name())); ok {
				at := len(units)
				for at > 0 && units[at-1].LUN > u.LUN {
					at--
				}
				units = slices.Insert(units, at, u)
			}
		}
	}
	return units, nil
}

// readUnit reads a SCSI device's directory, which is named H:C:T:L. L is the LUN
// as a number of 64 bits (drivers/scsi/scsi_scan.c: scsilun_to_int).
func readUnit(dir string) (Unit, bool) {
	name := filepath.Base(dir)
	if strings.Count(name, ":") != 3 {
		return Unit{}, false
	}
	lun, err := strconv.ParseUint(name[strings.LastIndexByte(name, ':')+1:], 10, 64)
	if err != nil {
		return Unit{}, false
	}
	typ, ok := readNumber(filepath.Join(dir, "type"))
	if !ok {
		return Unit{}, false // it is just going away
	}
	u := Unit{LUN: lun, Type: typ, Address: name}
	if b, err := os.ReadFile(filepath.Join(dir, "inquiry")); err == nil && len(b) > 0 {
		u.Absent = b[0]>>5 != 0
	}
	if disks, err := os.ReadDir(filepath.Join(dir, "block")); err == nil && len(disks) == 1 {
		u.Disk = disks[0].Name()
	}
	return u, true
}

func readNumber(path string) (int, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return n, err == nil
}

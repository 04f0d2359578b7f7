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

// typeDisk is a direct access block device (include/scsi/scsi_proto.h: TYPE_DISK).
const typeDisk = 0

// LUN is a logical unit of a session as the kernel found it. It may have no block device, or not
// yet.
type LUN struct {
	Session uint32 // the kernel's session id
	Number  uint64 // as the kernel has it
	Type    int    // SCSI peripheral device type; 0 is a disk, 12 a controller
	Disk    string // name of its block device, "sda"; empty until there is one
	// Address is host, channel, target and LUN, as the kernel writes them: "2:0:0:1".
	Address string
	// Absent: the target could have a device there, and has none now (SPC-4 6.6.2, peripheral
	// qualifier 001b), as arrays report for LUN 0 if nothing is mapped to it. The kernel
	// attaches such a unit, and no driver binds to it (drivers/scsi/scsi_sysfs.c:
	// scsi_bus_match).
	Absent bool
}

// IsDisk reports whether the unit is a disk, with a block device or before it.
func (u LUN) IsDisk() bool { return u.Type == typeDisk && !u.Absent }

// Ready reports whether the unit has a block device that has a size. sys is the mount point of
// sysfs.
func (u LUN) Ready(sys string) bool {
	if u.Disk == "" {
		return false
	}
	sectors, ok := readNumber(filepath.Join(u.Dir(sys), "block", u.Disk, "size"))
	return ok && sectors > 0
}

// deviceTypes are the peripheral device types in words (SPC-4 table 138).
var deviceTypes = map[int]string{
	typeDisk: "disk", 1: "tape", 3: "processor", 4: "write-once disk", 5: "CD or DVD", 7: "optical disk",
	8: "media changer", 12: "array controller", 13: "enclosure", 14: "simplified disk", 17: "object storage", 31: "no device",
}

// TypeText returns the peripheral device type, as "SCSI type 5, CD or DVD".
func (u LUN) TypeText() string {
	text := fmt.Sprintf("SCSI type %d", u.Type)
	if name := deviceTypes[u.Type]; name != "" {
		text += ", " + name
	}
	return text
}

// Dir is the unit's directory in sysfs, whose mount point is sys.
func (u LUN) Dir(sys string) string {
	return filepath.Join(sys, "class/scsi_device", u.Address, "device")
}

// LUNs returns the logical units of session sid, by LUN. sys is the mount point of sysfs.
func LUNs(sys string, sid uint32) ([]LUN, error) {
	dir := filepath.Join(sys, "class/iscsi_session", "session"+strconv.FormatUint(uint64(sid), 10), "device")
	targets, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list units of session %d: %w", sid, err)
	}
	var luns []LUN
	for _, t := range targets {
		if !strings.HasPrefix(t.Name(), "target") {
			continue
		}
		devs, err := os.ReadDir(filepath.Join(dir, t.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list units of session %d: %w", sid, err)
		}
		for _, d := range devs {
			if u, ok := readLUN(filepath.Join(dir, t.Name(), d.Name())); ok {
				u.Session = sid
				at := len(luns)
				for at > 0 && luns[at-1].Number > u.Number {
					at--
				}
				luns = slices.Insert(luns, at, u)
			}
		}
	}
	return luns, nil
}

// readLUN reads a SCSI device's directory.
func readLUN(dir string) (LUN, bool) {
	name := filepath.Base(dir)
	n, ok := lunNumber(name)
	if !ok {
		return LUN{}, false
	}
	typ, ok := readNumber(filepath.Join(dir, "type"))
	if !ok {
		return LUN{}, false // it is being removed
	}
	u := LUN{Number: n, Type: typ, Address: name}
	if b, err := os.ReadFile(filepath.Join(dir, "inquiry")); err == nil && len(b) > 0 {
		u.Absent = b[0]>>5 != 0
	}
	if disks, err := os.ReadDir(filepath.Join(dir, "block")); err == nil && len(disks) == 1 {
		u.Disk = disks[0].Name()
	}
	return u, true
}

// lunNumber reads H:C:T:L, the name of a SCSI device. L is the LUN as a number of 64 bits
// (drivers/scsi/scsi_scan.c: scsilun_to_int).
func lunNumber(address string) (uint64, bool) {
	if strings.Count(address, ":") != 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(address[strings.LastIndexByte(address, ':')+1:], 10, 64)
	return n, err == nil
}

// lunOfDisk reads the place of a disk in sysfs, .../session1/target2:0:0/2:0:0:1/block/sda; nil: it
// is of no session.
func lunOfDisk(link string) *LUN {
	dirs := strings.Split(link, "/")
	at := len(dirs) - 5
	if at < 0 {
		return nil
	}
	session, ok := strings.CutPrefix(dirs[at], "session")
	sid, err := strconv.ParseUint(session, 10, 32)
	n, isLUN := lunNumber(dirs[at+2])
	if !ok || err != nil || !isLUN || dirs[at+3] != "block" {
		return nil
	}
	return &LUN{Session: uint32(sid), Number: n, Disk: dirs[at+4], Address: dirs[at+2]}
}

// Describe describes a logical unit. sys is the mount point of sysfs.
func (u LUN) Describe(sys string) string {
	if u.Absent {
		return "without a device"
	}
	if !u.IsDisk() {
		return "not a disk (" + u.TypeText() + ")"
	}
	disk, err := Read(sys, u.Disk)
	switch {
	case u.Disk == "" || err != nil:
		return "a disk"
	case disk.Size == 0:
		return "a disk that is not ready"
	}
	return fmt.Sprintf("a disk of %d MiB", disk.Size>>20)
}

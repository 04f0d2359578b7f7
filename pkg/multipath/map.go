package multipath

import (
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// ID identifies a LUN: its WWID in the text form of udev's scsi_id and of multipath-tools,
// "3600140...": a digit for the type of the designator, and the designator.
type ID string

// Path is a disk of a session, as one way to a LUN.
type Path struct {
	Disk   string // "sda"
	Number table.Number
	Size   int64 // bytes
	ID     ID    // empty: the LUN has no designator that can be used
	// Global is whether the ID is the only one of its kind in the world, as far as its form
	// tells: it has a manufacturer's number. Without that it is compared only within a target.
	Global bool
	Vendor string // of INQUIRY, without blanks at the end
	Target string // iSCSI name
	LUN    uint64 // in the kernel's numbering
	Access Access
	// Preferred is ALUA's PREF bit (SPC-4 6.27).
	Preferred bool
}

// Access is the access state of a path (ALUA, SPC-4 5.15.2.4), in the kernel's words
// (drivers/scsi/scsi_sysfs.c: sdev_access_states); empty: the LUN has none.
type Access string

// The access states.
const (
	Optimized    Access = "active/optimized"
	NonOptimized Access = "active/non-optimized"
	Standby      Access = "standby"
	Unavailable  Access = "unavailable"
	LBADependent Access = "lba-dependent"
	Offline      Access = "offline"
	Transitional Access = "transitioning"
)

// Map is a LUN and the paths to it.
type Map struct {
	ID     ID
	Size   int64    // bytes
	Groups [][]Path // those to use first come first; in a group all are used
}

// UUIDPrefix is what the uuids of multipath maps in device-mapper begin with (multipath-tools
// libmultipath/devmapper.c: UUID_PREFIX).
const UUIDPrefix = "mpath-"

// Name is the map's in device-mapper: its ID, as multipath-tools name it without user_friendly_names.
func (m Map) Name() string { return string(m.ID) }

// UUID is the map's in device-mapper.
func (m Map) UUID() string { return UUIDPrefix + string(m.ID) }

package md

import "fmt"

// Level is a RAID level by the kernel's number.
type Level int

// The levels that hold data (md_p.h, drivers/md/md.h: LEVEL_LINEAR).
const (
	Linear Level = -1
	RAID0  Level = 0
	RAID1  Level = 1
	RAID4  Level = 4
	RAID5  Level = 5
	RAID6  Level = 6
	RAID10 Level = 10
)

// String returns the name that mdadm and sysfs have: "raid1", "linear".
func (l Level) String() string {
	if l == Linear {
		return "linear"
	}
	return fmt.Sprintf("raid%d", int(l))
}

// Module is the kernel's module of the level, beside md_mod.
func (l Level) Module() string {
	if l.parity() > 0 {
		return "raid456"
	}
	return l.String()
}

// Redundant reports whether an array of the level can do without a member.
func (l Level) Redundant() bool { return l == RAID1 || l == RAID10 || l.parity() > 0 }

// parity is how many members' worth of parity a stripe has. It is wrong for a while where a write
// is under way, unlike the copies of a mirror.
func (l Level) parity() int {
	switch l {
	case RAID4, RAID5:
		return 1
	case RAID6:
		return 2
	}
	return 0
}

// known reports whether the level is one of the above.
func (l Level) known() bool { return l == Linear || l == RAID0 || l.Redundant() }

// copies returns how many copies of each block the layout word of a raid10 asks for, and how many
// of them stand side by side in a stripe (drivers/md/raid10.c: setup_geo). Zero is not valid.
func copies(layout uint32) (all, near int) {
	near = int(layout & 0xff)
	far := int(layout >> 8 & 0xff)
	return near * far, near
}

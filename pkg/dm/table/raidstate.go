package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// RaidStatus is the state of a raid (Documentation/admin-guide/device-mapper/dm-raid.rst, STATUS).
type RaidStatus struct {
	// Health has a character for each leg: 'A' in sync, 'a' not yet in sync, 'D' failed, '-'
	// missing.
	Health      string
	Done, Total uint64 // sectors that are in sync, and all
	Action      string // "idle", "resync", "recover" and others
}

// ParseRaidStatus reads the text of a raid's status. A kernel of an old dm-raid has no Action.
func ParseRaidStatus(text string) (RaidStatus, error) {
	f := strings.Fields(text) // level, legs, health, done/total, action, mismatches ...
	if len(f) < 4 || f[1] != strconv.Itoa(len(f[2])) {
		return RaidStatus{}, fmt.Errorf("status %q: %w", text, errForm)
	}
	done, total, _ := strings.Cut(f[3], "/")
	out := RaidStatus{Health: f[2]}
	var err, err2 error
	out.Done, err = strconv.ParseUint(done, 10, 64)
	out.Total, err2 = strconv.ParseUint(total, 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return RaidStatus{}, fmt.Errorf("status %q: %w", text, err)
	}
	if len(f) > 4 {
		out.Action = f[4]
	}
	return out, nil
}

// RaidSuperblock is what a leg of a raid has of itself and the others, at the begin of its metadata
// (drivers/md/dm-raid.c: struct dm_raid_superblock).
type RaidSuperblock struct {
	Legs, Leg uint32 // how many there are, and which this one is
	Events    uint64 // grows with each change
	failed    [4]uint64
}

// RaidSuperblockLen is how many bytes ParseRaidSuperblock takes.
const RaidSuperblockLen = 512

// ErrNoSuperblock is the error for a leg that has never been part of a raid.
var ErrNoSuperblock = errors.New("no superblock of a raid")

// Offsets in struct dm_raid_superblock, in bytes; all is little-endian.
const (
	superMagicAt, superFeaturesAt, superLegsAt, superLegAt = 0, 4, 8, 12
	superEventsAt, superFailedAt                           = 16, 24
	superMoreFailedAt                                      = 120 // extended_failed_devices[3]

	superMagic = 0x64526D44 // DM_RAID_MAGIC
	superV190  = 1          // FEATURE_FLAG_SUPPORTS_V190: the extended fields are there
)

// ParseRaidSuperblock reads a superblock.
func ParseRaidSuperblock(b []byte) (RaidSuperblock, error) {
	if len(b) < RaidSuperblockLen || binary.LittleEndian.Uint32(b) != superMagic {
		return RaidSuperblock{}, ErrNoSuperblock
	}
	s := RaidSuperblock{
		Legs: binary.LittleEndian.Uint32(b[superLegsAt:]), Leg: binary.LittleEndian.Uint32(b[superLegAt:]),
		Events: binary.LittleEndian.Uint64(b[superEventsAt:]),
	}
	s.failed[0] = binary.LittleEndian.Uint64(b[superFailedAt:])
	if binary.LittleEndian.Uint32(b[superFeaturesAt:])&superV190 != 0 {
		for i := range s.failed[1:] {
			s.failed[i+1] = binary.LittleEndian.Uint64(b[superMoreFailedAt+8*i:])
		}
	}
	return s, nil
}

// Failed reports whether the superblock has noted that the raid was written to without a leg.
func (s RaidSuperblock) Failed(leg int) bool {
	return leg >= 0 && leg < 64*len(s.failed) && s.failed[leg/64]&(1<<(leg%64)) != 0
}

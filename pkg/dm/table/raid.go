package table

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// levels are the types of drivers/md/dm-raid.c (raid_types).
var levels = [...]string{
	"raid0", "raid1",
	"raid10", "raid10_far", "raid10_offset", "raid10_near",
	"raid4", "raid5_n", "raid5_ls", "raid5_rs", "raid5_la", "raid5_ra",
	"raid6_zr", "raid6_nr", "raid6_nc", "raid6_n_6", "raid6_ls_6", "raid6_rs_6", "raid6_la_6", "raid6_ra_6",
}

// Leg is a member of a raid. Both nil: it is missing. Without Meta the leg has no superblock and no
// bitmap, as the legs of a raid0.
type Leg struct{ Meta, Data *Number }

// Raid is md's code for RAID below device-mapper (device-mapper/dm-raid.rst). A reshape and a
// journal have no fields: Parse refuses their words.
type Raid struct {
	Level        string // "raid1", "raid5_ls": one of raid_types
	ChunkSectors uint32 // a power of two; 0 in raid1

	Sync, NoSync    bool   // synchronize in any case, or never at first; not both
	Rebuild         []int  // legs that are written anew from the others
	MinRecoveryRate uint32 // KiB/s in each leg; 0: the kernel's default
	MaxRecoveryRate uint32
	WriteMostly     []int  // legs of a raid1 that are not read unless they must
	MaxWriteBehind  uint32 // outstanding writes to those; 0: the kernel's default
	RegionSectors   uint64 // what a bit of the bitmap stands for, a power of two; 0: the kernel's choice
	Copies          int    // of a raid10; 0: the kernel's default of 2
	Format          string // of a raid10: "near", "far", "offset"; empty: near
	Legs            []Leg
}

// maxLegs is the kernel's limit (drivers/md/dm-raid.c: MAX_RAID_DEVICES).
const maxLegs = 253

// Type implements [Target].
func (*Raid) Type() string { return "raid" }

// Params implements [Target].
func (r *Raid) Params() string {
	var w words
	options := r.options()
	w.word(r.Level)
	w.number(uint64(1 + options.count))
	w.number(uint64(r.ChunkSectors))
	w.append(options)
	w.number(uint64(len(r.Legs)))
	for _, l := range r.Legs {
		w.devOrDash(l.Meta)
		w.devOrDash(l.Data)
	}
	return w.String()
}

func (w *words) devOrDash(n *Number) {
	if n == nil {
		w.word("-")
	} else {
		w.dev(*n)
	}
}

// options are the words behind the chunk size, in the order in which the kernel prints them
// (drivers/md/dm-raid.c: raid_status).
func (r *Raid) options() (w words) {
	if r.Sync {
		w.word("sync")
	}
	if r.NoSync {
		w.word("nosync")
	}
	for _, i := range r.Rebuild {
		w.word("rebuild")
		w.number(uint64(i))
	}
	w.option("min_recovery_rate", uint64(r.MinRecoveryRate))
	w.option("max_recovery_rate", uint64(r.MaxRecoveryRate))
	for _, i := range r.WriteMostly {
		w.word("write_mostly")
		w.number(uint64(i))
	}
	w.option("max_write_behind", uint64(r.MaxWriteBehind))
	w.option("region_size", r.RegionSectors)
	w.option("raid10_copies", uint64(r.Copies))
	if r.Format != "" {
		w.word("raid10_format")
		w.word(r.Format)
	}
	return w
}

func (r *Raid) validate() error {
	switch {
	case !slices.Contains(levels[:], r.Level):
		return fmt.Errorf("level %q", r.Level)
	case len(r.Legs) == 0 || len(r.Legs) > maxLegs:
		return fmt.Errorf("%d legs", len(r.Legs))
	case bits.OnesCount32(r.ChunkSectors) > 1, bits.OnesCount64(r.RegionSectors) > 1:
		return fmt.Errorf("chunk of %d and region of %d sectors: not powers of two", r.ChunkSectors, r.RegionSectors)
	case r.Sync && r.NoSync:
		return errors.New("both sync and nosync")
	case r.Copies != 0 && r.Copies < 2 || r.Copies > len(r.Legs):
		return fmt.Errorf("%d copies on %d legs", r.Copies, len(r.Legs))
	case r.Format != "" && r.Format != "near" && r.Format != "far" && r.Format != "offset":
		return fmt.Errorf("format %q", r.Format)
	}
	if err := r.validOptions(); err != nil {
		return err
	}
	for _, legs := range [...][]int{r.Rebuild, r.WriteMostly} {
		for _, i := range legs {
			if i < 0 || i >= len(r.Legs) {
				return fmt.Errorf("leg %d of %d", i, len(r.Legs))
			}
		}
	}
	present := false
	for i, l := range r.Legs {
		if l.Meta != nil && l.Data == nil {
			return fmt.Errorf("leg %d has metadata without data", i)
		}
		present = present || l.Data != nil
	}
	if !present {
		return fmt.Errorf("all %d legs are missing", len(r.Legs))
	}
	return nil
}

// validOptions looks whether the level knows what is asked for (drivers/md/dm-raid.c:
// RAID0_VALID_FLAGS and the others).
func (r *Raid) validOptions() error {
	raid1, raid10 := r.Level == "raid1", strings.HasPrefix(r.Level, "raid10")
	unknown := ""
	switch w := r.options(); {
	case r.NoSync && strings.HasPrefix(r.Level, "raid6"):
		unknown = "nosync"
	case len(r.WriteMostly) > 0 && !raid1:
		unknown = "write_mostly"
	case r.MaxWriteBehind != 0 && !raid1:
		unknown = "max_write_behind"
	case r.Copies != 0 && !raid10:
		unknown = "raid10_copies"
	case r.Format != "" && !raid10:
		unknown = "raid10_format"
	case r.Level == "raid0":
		unknown = w.String()
	}
	if unknown != "" {
		return errors.New(r.Level + " has no " + unknown)
	}
	return nil
}

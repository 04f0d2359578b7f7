package table

import (
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
	words := r.options()
	var b strings.Builder
	fmt.Fprint(&b, r.Level, " ", 1+len(words), " ", r.ChunkSectors)
	for _, w := range words {
		b.WriteString(" " + w)
	}
	fmt.Fprint(&b, " ", len(r.Legs))
	for _, l := range r.Legs {
		b.WriteString(" " + orDash(l.Meta) + " " + orDash(l.Data))
	}
	return b.String()
}

func orDash(n *Number) string {
	if n == nil {
		return "-"
	}
	return n.String()
}

// options are the words behind the chunk size, in the order in which the kernel prints them
// (drivers/md/dm-raid.c: raid_status).
func (r *Raid) options() []string {
	var out []string
	number := func(word string, n uint64) {
		if n != 0 {
			out = append(out, word, fmt.Sprint(n))
		}
	}
	if r.Sync {
		out = append(out, "sync")
	}
	if r.NoSync {
		out = append(out, "nosync")
	}
	for _, i := range r.Rebuild {
		out = append(out, "rebuild", fmt.Sprint(i))
	}
	number("min_recovery_rate", uint64(r.MinRecoveryRate))
	number("max_recovery_rate", uint64(r.MaxRecoveryRate))
	for _, i := range r.WriteMostly {
		out = append(out, "write_mostly", fmt.Sprint(i))
	}
	number("max_write_behind", uint64(r.MaxWriteBehind))
	number("region_size", r.RegionSectors)
	number("raid10_copies", uint64(r.Copies))
	if r.Format != "" {
		out = append(out, "raid10_format", r.Format)
	}
	return out
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
		return fmt.Errorf("both sync and nosync")
	case r.Copies != 0 && r.Copies < 2 || r.Copies > len(r.Legs):
		return fmt.Errorf("%d copies on %d legs", r.Copies, len(r.Legs))
	case !slices.Contains([]string{"", "near", "far", "offset"}, r.Format):
		return fmt.Errorf("format %q", r.Format)
	}
	if err := r.validOptions(); err != nil {
		return err
	}
	for _, i := range slices.Concat(r.Rebuild, r.WriteMostly) {
		if i < 0 || i >= len(r.Legs) {
			return fmt.Errorf("leg %d of %d", i, len(r.Legs))
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
	for _, o := range []struct {
		word string
		ok   bool
	}{
		{"nosync", !r.NoSync || !strings.HasPrefix(r.Level, "raid6")},
		{"write_mostly", len(r.WriteMostly) == 0 || raid1},
		{"max_write_behind", r.MaxWriteBehind == 0 || raid1},
		{"raid10_copies", r.Copies == 0 || raid10},
		{"raid10_format", r.Format == "" || raid10},
	} {
		if !o.ok {
			return fmt.Errorf("%s has no %s", r.Level, o.word)
		}
	}
	if words := r.options(); r.Level == "raid0" && len(words) > 0 {
		return fmt.Errorf("%s has no %s", r.Level, words[0])
	}
	return nil
}

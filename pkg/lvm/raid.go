package lvm

import "strings"

// Raid is one of lvm2's raid types. Its legs are LVs of the same VG.
type Raid struct {
	Level         string // as the kernel names it: "raid5_ls"
	StripeSectors uint32 // 0 in raid1
	RegionSectors uint32 // 0 in raid0
	Copies        uint32 // in raid10, otherwise 0

	MinRecoveryRate, MaxRecoveryRate uint32 // KiB/s in each leg; 0: the kernel's default
	WriteBehind                      uint32 // 0: the kernel's default

	Legs []Leg
}

// Leg is the LV of a raid's data, and that of its superblock and bitmap: the latter is empty in a
// raid0.
type Leg struct{ Meta, Data string }

func (r *Raid) names() []string {
	var out []string
	for _, l := range r.Legs {
		if l.Meta != "" {
			out = append(out, l.Meta)
		}
		out = append(out, l.Data)
	}
	return out
}

// raidLevel returns the kernel's name of a segment type, empty if it is no raid
// (libdm/libdm-deptree.c: _dm_segtypes).
func raidLevel(name string) string {
	switch name {
	case "raid0", "raid0_meta":
		return "raid0"
	case "raid5":
		return "raid5_ls"
	case "raid6":
		return "raid6_zr"
	case "raid10", "raid10_near":
		return "raid10"
	case "raid1", "raid4", "raid5_n", "raid5_la", "raid5_ra", "raid5_ls", "raid5_rs",
		"raid6_n_6", "raid6_zr", "raid6_nr", "raid6_nc", "raid6_ls_6", "raid6_rs_6", "raid6_la_6", "raid6_ra_6":
		return name
	}
	return ""
}

// spare is how many legs the level can do without; raid10 depends on which (lib/raid/raid.c:
// raid_is_available).
func (r *Raid) spare() int {
	switch {
	case r.Level == "raid1":
		return len(r.Legs) - 1
	case r.Level == "raid4" || strings.HasPrefix(r.Level, "raid5"):
		return 1
	case strings.HasPrefix(r.Level, "raid6"):
		return 2
	}
	return 0
}

// enough reports whether the raid can run with those legs. In a raid10 each block is on as many
// neighbours as there are copies.
func (r *Raid) enough(present []bool) bool {
	missing := 0
	for _, p := range present {
		if !p {
			missing++
		}
	}
	if r.Level != "raid10" {
		return missing <= r.spare()
	}
	n, copies := len(present), int(r.Copies)
	for start := 0; start < n*copies; start += copies {
		there := false
		for i := range copies {
			there = there || present[(start+i)%n]
		}
		if !there {
			return false
		}
	}
	return true
}

// readRaid reads a raid (lib/raid/raid.c: _raid_text_import). One whose data moves, because it is
// reshaped, is not supported.
func readRaid(s *section, name string) SegmentType {
	if s.has("data_offset") {
		return &Unsupported{Name: name + " with data_offset, a reshape that is not finished"}
	}
	r := &Raid{
		Level:           raidLevel(name),
		StripeSectors:   s.optional("stripe_size"),
		RegionSectors:   s.optional("region_size"),
		MinRecoveryRate: s.optional("min_recovery_rate"),
		MaxRecoveryRate: s.optional("max_recovery_rate"),
		WriteBehind:     s.optional("writebehind"),
	}
	if r.Level == "raid1" {
		r.StripeSectors = 0
	}
	if r.Level == "raid10" {
		r.Copies = max(2, s.optional("data_copies"))
	}
	if r.Level != "raid0" && r.RegionSectors == 0 {
		s.fail("region_size", "is missing")
	}
	r.readLegs(s, name)
	return r
}

// maxLegs is the kernel's limit (drivers/md/dm-raid.c: MAX_RAID_DEVICES).
const maxLegs = 253

func (r *Raid) readLegs(s *section, name string) {
	count := s.optional("device_count") + s.optional("stripe_count")
	key := "raids"
	if name == "raid0" {
		key = "raid0_lvs"
	}
	// The LV of the metadata stands before that of the data.
	for lvs := s.list(key); len(lvs) > 0; {
		var l Leg
		if strings.Contains(lvs[0], "_rmeta_") && len(lvs) > 1 {
			l.Meta, lvs = lvs[0], lvs[1:]
		}
		l.Data, lvs = lvs[0], lvs[1:]
		r.Legs = append(r.Legs, l)
	}
	if n := len(r.Legs); uint64(n) != uint64(count) || n == 0 || n > maxLegs || r.Level != "raid1" && r.Level != "raid0" && n <= r.spare() || int(r.Copies) > n {
		s.fail(key, "has %d legs, not %d", n, count)
	}
}

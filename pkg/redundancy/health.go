package redundancy

import "strings"

// raidHealth is what the status of a raid of device-mapper has about its legs.
type raidHealth struct {
	legs   string // a character for each
	action string // what the raid does: "idle", "resync", "recover"
}

// parseRaidStatus reads "raid1 2 AA 2048/2048 idle 0 0 -": the level, how many legs, their states,
// what is synchronized, and what the raid does (Documentation/admin-guide/device-mapper/
// dm-raid.rst). Kernels before 3.12 end behind the ratio.
func parseRaidStatus(text string) (raidHealth, bool) {
	f := strings.Fields(text)
	if len(f) < 4 || !strings.HasPrefix(f[0], "raid") || strings.Trim(f[2], "AaD-") != "" {
		return raidHealth{}, false
	}
	h := raidHealth{legs: f[2]}
	if len(f) > 4 {
		h.action = f[4]
	}
	return h, true
}

// active reports whether the raid waits for a leg's I/O: it is neither failed nor missing.
func (h raidHealth) active(leg int) bool { return h.legs[leg] == 'A' || h.legs[leg] == 'a' }

// inSync reports whether a leg has all its data. During a resync all legs are shown as if they had
// not (drivers/md/dm-raid.c: __raid_dev_status): of copies each has all data then, but parity is
// not valid.
func (h raidHealth) inSync(leg int, level string) bool {
	copies := level == "raid1" || strings.HasPrefix(level, "raid10")
	return h.legs[leg] == 'A' || h.legs[leg] == 'a' && h.action == "resync" && copies
}

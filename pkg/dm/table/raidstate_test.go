package table

import (
	"encoding/binary"
	"errors"
	"testing"
)

func TestParseRaidStatus(t *testing.T) {
	for text, want := range map[string]RaidStatus{
		"raid1 2 AA 16384/16384 idle 0 0 -":      {"AA", 16384, 16384, "idle"},
		"raid5_ls 3 AaD 1024/8192 recover 0 0 -": {"AaD", 1024, 8192, "recover"},
		"raid1 2 A- 5/6":                         {"A-", 5, 6, ""},
	} {
		if got, err := ParseRaidStatus(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "raid1 2 AA", "raid1 3 AA 1/2 idle", "raid1 2 AA 1 idle", "raid1 2 AA x/2 idle", "raid1 2 AA 1/x idle"} {
		if got, err := ParseRaidStatus(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestParseRaidSuperblock(t *testing.T) {
	b := make([]byte, RaidSuperblockLen)
	for at, n := range map[int]uint64{8: 200, 12: 7, 16: 1 << 40, 24: 1 << 3, 120: 1 << 1, 136: 1 << 60} {
		binary.LittleEndian.PutUint64(b[at:], binary.LittleEndian.Uint64(b[at:])|n)
	}
	if _, err := ParseRaidSuperblock(b); !errors.Is(err, ErrNoSuperblock) {
		t.Errorf("without a magic number: %v", err)
	}
	binary.LittleEndian.PutUint32(b, superMagic)
	if _, err := ParseRaidSuperblock(b[:RaidSuperblockLen-1]); !errors.Is(err, ErrNoSuperblock) {
		t.Errorf("too short: %v", err)
	}
	for features, want := range map[byte][]int{0: {3}, superV190: {3, 65, 252}} {
		b[superFeaturesAt] = features
		s, err := ParseRaidSuperblock(b)
		if err != nil || s.Legs != 200 || s.Leg != 7 || s.Events != 1<<40 {
			t.Errorf("%+v, %v", s, err)
		}
		var failed []int
		for i := -1; i < 400; i++ {
			if s.Failed(i) {
				failed = append(failed, i)
			}
		}
		if len(failed) != len(want) || failed[0] != want[0] || failed[len(failed)-1] != want[len(want)-1] {
			t.Errorf("features %d: failed %v, want %v", features, failed, want)
		}
	}
}

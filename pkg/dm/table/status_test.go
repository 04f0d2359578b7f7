package table

import (
	"strings"
	"testing"
)

func TestRaidStatus(t *testing.T) {
	for text, want := range map[string]RaidStatus{
		"raid1 2 aa 4096/8192 resync 0 0 -":            {"raid1", "aa", 4096, 8192, "resync"},
		"raid5_ls 3 AAD 1024/1024 idle 0":              {"raid5_ls", "AAD", 1024, 1024, "idle"},
		"raid6_zr 5 AAAAD 18446744073709551615/0 idle": {"raid6_zr", "AAAAD", 18446744073709551615, 0, "idle"},
	} {
		if got, err := ParseRaidStatus(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"":                          "too short",
		"raid1 2 aa 4096 resync":    "not a ratio",
		"raid1 2 aa 1/x resync":     "invalid syntax",
		"raid1 3 aa 1/2 resync":     `health "aa"`,
		"raid1 2 ok 1/2 resync":     `health "ok"`,
		"raid1 2 aa 1/2":            "too short",
		"raid1 two aa 1/2 idle 0 0": "invalid syntax",
	} {
		if got, err := ParseRaidStatus(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %+v, %v, want an error with %q", text, got, err, why)
		}
	}
}

func TestThinPoolStatus(t *testing.T) {
	for text, want := range map[string]ThinPoolStatus{
		"1 14/1024 1/512 - rw discard_passdown queue_if_no_space - 1024 ": {
			Transaction: 1, UsedMeta: 14, TotalMeta: 1024, UsedData: 1, TotalData: 512, Mode: "rw",
		},
		"0 1/2 512/512 77 out_of_data_space no_discard_passdown error_if_no_space needs_check": {
			UsedMeta: 1, TotalMeta: 2, UsedData: 512, TotalData: 512, Mode: "out_of_data_space", NeedsCheck: true,
		},
		"Fail":  {Failed: true},
		"Error": {Failed: true},
	} {
		if got, err := ParseThinPoolStatus(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"":                                      "too short",
		"Failed":                                "invalid syntax",
		"1 14/1024 1/512 - rw discard_passdown": "too short",
		"1 14 1/512 - rw discard_passdown queue_if_no_space -":         "not a ratio",
		"1 14/1024 1/512 - rw discard_passdown queue_if_no_space 1024": "instead of needs_check",
	} {
		if got, err := ParseThinPoolStatus(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %+v, %v, want an error with %q", text, got, err, why)
		}
	}
}

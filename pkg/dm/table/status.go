package table

import (
	"fmt"
	"strings"
)

// RaidStatus is the state of a raid (device-mapper/dm-raid.rst, "Status Output").
type RaidStatus struct {
	Level string
	// Health has a letter for each leg: A is alive and in sync, a alive and not in sync, D dead
	// or missing.
	Health     string
	Done, Todo uint64 // sectors that are in sync, of all
	Action     string // "idle", "resync", "recover", "frozen"
}

// ParseRaidStatus reads the status of a target "raid". What newer kernels have behind it is not
// read.
func ParseRaidStatus(text string) (RaidStatus, error) {
	r := &reader{rest: strings.Fields(text)}
	s := RaidStatus{Level: r.word()}
	legs := r.number(31)
	s.Health = r.word()
	s.Done, s.Todo = r.ratio()
	s.Action = r.word()
	if r.err == nil && (uint64(len(s.Health)) != legs || strings.Trim(s.Health, "AaDd-") != "") {
		r.fail(fmt.Errorf("health %q: %w", s.Health, errForm))
	}
	if r.err != nil {
		return RaidStatus{}, fmt.Errorf("parse status of raid %q: %w", text, r.err)
	}
	return s, nil
}

// ThinPoolStatus is the state of a pool (device-mapper/thin-provisioning.rst, "Status").
type ThinPoolStatus struct {
	// Failed: the metadata cannot be read, and all I/O fails; the rest is not known.
	Failed      bool
	Transaction uint64 // of the program that manages the pool, as LVM
	// In blocks: of metadata, which has its own size of 4096 bytes, and of data.
	UsedMeta, TotalMeta uint64
	UsedData, TotalData uint64
	Mode                string // "rw", "ro", "out_of_data_space"
	NeedsCheck          bool   // thin_check(8) has to repair it before it is written
}

// ParseThinPoolStatus reads the status of a target "thin-pool".
func ParseThinPoolStatus(text string) (ThinPoolStatus, error) {
	r := &reader{rest: strings.Fields(text)}
	var s ThinPoolStatus
	if len(r.rest) == 1 && (r.rest[0] == "Fail" || r.rest[0] == "Error") {
		return ThinPoolStatus{Failed: true}, nil
	}
	s.Transaction = r.number(64)
	s.UsedMeta, s.TotalMeta = r.ratio()
	s.UsedData, s.TotalData = r.ratio()
	r.word() // the root of a snapshot of the metadata, or "-"
	s.Mode = r.word()
	r.word() // discards
	r.word() // what happens when it is full
	needs := r.word()
	s.NeedsCheck = needs == "needs_check"
	if r.err == nil && !s.NeedsCheck && needs != "-" {
		r.fail(fmt.Errorf("%q instead of needs_check: %w", needs, errForm))
	}
	if r.err != nil {
		return ThinPoolStatus{}, fmt.Errorf("parse status of thin-pool %q: %w", text, r.err)
	}
	return s, nil
}

// ratio reads "1/2".
func (r *reader) ratio() (part, all uint64) {
	x, y, ok := strings.Cut(r.word(), "/")
	if r.err == nil && !ok {
		r.fail(fmt.Errorf("%q is not a ratio: %w", x, errForm))
	}
	if r.err != nil {
		return 0, 0
	}
	two := &reader{rest: []string{x, y}}
	part, all = two.number(64), two.number(64)
	if two.err != nil {
		r.fail(two.err)
	}
	return part, all
}

package array

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// State is an array as sysfs shows it.
type State struct {
	Level           string // "raid1"
	Metadata        string // version of the superblocks, "1.2"; "external:imsm" and the like
	Sectors         uint64 // size of the array in sectors of 512 bytes
	Disks, Degraded int    // slots, and how many of them have no member that is in sync
	ArrayState      string // "read-auto", "clean", "active", "write-pending", ...: Documentation/admin-guide/md.rst
	SyncAction      string // "idle", "resync", "recover", "check", "repair", "reshape", "frozen"; empty without redundancy
	// Done and Total are the progress of SyncAction in sectors of 512 bytes, both 0 if nothing
	// is under way. Speed is in KiB per second.
	Done, Total, Speed uint64
	Members            []MemberState // by slot, those without one last
}

// MemberState is a member of an array that runs.
type MemberState struct {
	Device string   // "sdb1"; empty if the kernel has no such device any more
	Number Number   // 0:0 if it has none
	Slot   int      // -1: none, as of a spare, and soon after it failed
	Flags  []string // "in_sync", "faulty", "spare", "write_mostly", "blocked", ...
}

// Is reports whether a member has a flag.
func (m MemberState) Is(flag string) bool { return slices.Contains(m.Flags, flag) }

// List returns the names of the arrays that run, in order.
func (p Paths) List() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(p.Sys, "block"))
	if err != nil {
		return nil, fmt.Errorf("list arrays: %w", err)
	}
	var out []string
	for _, e := range entries {
		if checkName(e.Name()) != nil {
			continue
		}
		state, err := readText(filepath.Join(p.md(e.Name()), "array_state"))
		switch {
		case gone(err): // it is being removed
		case err != nil:
			return nil, fmt.Errorf("list arrays: %w", err)
		case state != "clear" && state != "inactive":
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// State returns the state of an array. It reads what the kernel has in memory, and never waits for
// a member. fs.ErrNotExist: there is no such array.
func (p Paths) State(name string) (State, error) {
	err := checkName(name)
	var s State
	if err == nil {
		s, err = p.state(name)
	}
	if err != nil {
		return State{}, fmt.Errorf("get state of array %s: %w", name, err)
	}
	return s, nil
}

func (p Paths) state(name string) (State, error) {
	a := attributes{dir: p.md(name)}
	s := State{
		Level: a.text("level"), Metadata: a.text("metadata_version"), Sectors: a.number("../size"),
		Disks: int(a.number("raid_disks")), ArrayState: a.text("array_state"),
	}
	if a.err != nil {
		return State{}, a.err
	}
	// The attributes of levels with redundancy.
	a.optional = true
	s.Degraded, s.SyncAction, s.Speed = int(a.number("degraded")), a.text("sync_action"), a.number("sync_speed")
	s.Done, s.Total = parseProgress(a.text("sync_completed"))
	entries, err := os.ReadDir(a.dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "dev-") || err != nil {
			continue
		}
		m, memberErr := readMember(filepath.Join(a.dir, e.Name()))
		switch {
		case gone(memberErr): // removed meanwhile
		case memberErr != nil:
			err = memberErr
		default:
			s.insert(m)
		}
	}
	return s, errors.Join(a.err, err)
}

// insert keeps the order of slots. No slices.SortFunc: each type of elements that it sorts makes
// init 20 KB larger.
func (s *State) insert(m MemberState) {
	s.Members = append(s.Members, m)
	for i := len(s.Members) - 1; i > 0 && uint(m.Slot) < uint(s.Members[i-1].Slot); i-- { // -1 is the last
		s.Members[i], s.Members[i-1] = s.Members[i-1], m
	}
}

// readMember reads the directory of a member.
func readMember(dir string) (MemberState, error) {
	a := attributes{dir: dir}
	m := MemberState{Slot: parseSlot(a.text("slot"))}
	if flags := a.text("state"); flags != "" {
		m.Flags = strings.Split(flags, ",")
	}
	// The link block stays when the device goes, and leads nowhere then.
	a.optional = true
	number := a.text("block/dev")
	if number == "" || a.err != nil {
		return m, a.err
	}
	link, err := os.Readlink(filepath.Join(dir, "block"))
	if err != nil {
		return m, err
	}
	m.Device = filepath.Base(link)
	m.Number, err = parseNumber(number)
	return m, err
}

// parseSlot reads "1"; "none" and "journal" are none.
func parseSlot(text string) int {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// parseProgress reads "1024 / 204800"; "none" and "delayed" are no progress.
func parseProgress(text string) (done, total uint64) {
	a, b, _ := strings.Cut(text, " / ")
	done, err := strconv.ParseUint(a, 10, 64)
	total, err2 := strconv.ParseUint(b, 10, 64)
	if err != nil || err2 != nil {
		return 0, 0
	}
	return done, total
}

// attributes reads files of a directory until one fails.
type attributes struct {
	dir      string
	optional bool // one that is missing is empty, and "none" is 0
	err      error
}

func (a *attributes) text(name string) string {
	if a.err != nil {
		return ""
	}
	text, err := readText(filepath.Join(a.dir, name))
	if err != nil && !(a.optional && gone(err)) {
		a.err = err
	}
	return text
}

func (a *attributes) number(name string) uint64 {
	text := a.text(name)
	if a.err != nil || a.optional && (text == "" || text == "none") {
		return 0
	}
	text, _, _ = strings.Cut(text, " ") // raid_disks is "3 (2)" if a reshape makes 3 of 2
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		a.err = fmt.Errorf("%s: %w", name, err)
	}
	return n
}

package mirrors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
)

// Arrays are the kernel's md arrays; array.Paths implements it.
type Arrays interface {
	List() ([]string, error)
	State(name string) (array.State, error)
	ReAdd(name string, m array.Number, number uint32, slot int) error
	Add(name string, m array.Number) error
	RemoveFailed(name string) error
}

// Members takes members of md arrays back. It is for one goroutine.
type Members struct {
	Arrays Arrays
	Sys    string
	// Read reads the superblock of a device by its name, as the disk has it now.
	Read func(device string, size int64) (md.Superblock, error)
	Log  Logger

	told map[string]bool // what was logged about members that are not taken back
}

// Refresh implements Refresher.
func (m *Members) Refresh(disks []*blockdev.Device) (changed bool, err error) {
	names, err := m.Arrays.List()
	if err != nil {
		return false, err
	}
	var errs []error
	for _, name := range names {
		s, err := m.Arrays.State(name)
		// The kernel notes only at the next I/O that a member's device is gone
		// (RemoveFailed).
		gone := func(m array.MemberState) bool { return m.Device == "" }
		if err != nil || s.Degraded == 0 && !slices.ContainsFunc(s.Members, gone) {
			continue
		}
		one, err := m.refresh(name, s, disks)
		changed = changed || one
		errs = append(errs, err)
	}
	return changed, errors.Join(errs...)
}

// refresh takes members of one array back that lacks some.
func (m *Members) refresh(name string, s array.State, disks []*blockdev.Device) (changed bool, err error) {
	var all []former
	for _, d := range m.free(disks, s) {
		if sb, err := m.Read(d.Name, d.Size); err == nil {
			all = append(all, former{d, sb})
		}
	}
	if len(all) == 0 {
		return false, nil
	}
	running, err := m.running(s, disks)
	if err != nil {
		return false, fmt.Errorf("array %s: %w", name, err)
	}
	all = slices.DeleteFunc(all, func(f former) bool { return len(running) == 0 || f.sb.Set != running[0].Set })
	if len(all) == 0 {
		return false, nil
	}
	if err := m.Arrays.RemoveFailed(name); err != nil {
		return false, err
	}
	all, errs := unique(name, all)
	var back []former
	for _, f := range all {
		s, err := m.Arrays.State(name) // as RemoveFailed, and the member before, have changed it
		if err != nil {
			return changed, err
		}
		why := whyNot(f.sb, running, s)
		if f.rival(back) != "" { // the kernel gives it its slot soon
			why = placeTaken
		}
		if why != "" {
			m.tell(name, f.device.Name, why)
			continue
		}
		took, err := m.take(name, f, f.rival(all))
		if took {
			back, changed = append(back, f), true
		}
		errs = append(errs, err)
	}
	return changed, errors.Join(errs...)
}

// running reads the superblocks of the members that the array runs with, on the disks and maps and
// on those of no session; none: a foreign array. The array's UUID is in them; the kernel shows it
// in sysfs in newer versions only.
func (m *Members) running(s array.State, disks []*blockdev.Device) (all []md.Superblock, err error) {
	ours := false
	failed := errors.New("no member that is in sync can be read")
	isLUN := func(d *blockdev.Device) bool { return d.LUN != nil }
	for _, member := range s.Members {
		if !member.Is("in_sync") || member.Is("faulty") || member.Device == "" {
			continue
		}
		d, err := blockdev.Read(m.Sys, member.Device)
		if err != nil {
			continue
		}
		ours = ours || slices.ContainsFunc(d.Disks(), isLUN)
		if slices.ContainsFunc(d.Units(), func(below *blockdev.Device) bool {
			return slices.ContainsFunc(below.Disks(), isLUN) && !below.In(disks)
		}) {
			continue // it would be waited for
		}
		sb, err := m.Read(d.Name, d.Size)
		if err == nil && (len(all) == 0 || sb.Set == all[0].Set) {
			all = append(all, sb)
		}
		failed = errors.Join(failed, err)
	}
	if ours && len(all) == 0 {
		return nil, failed
	}
	return all, nil
}

// free lists the disks, partitions and devices of device-mapper on which nothing stands, and those
// that the array holds as failed: their session was lost and is back.
func (m *Members) free(disks []*blockdev.Device, s array.State) (out []*blockdev.Device) {
	for _, disk := range disks {
		parts, _ := blockdev.Partitions(m.Sys, disk)
		for _, d := range append(m.maps(disk, disks), append(parts, disk)...) {
			if d.In(out) { // a map on several disks
				continue
			}
			failed := slices.ContainsFunc(s.Members, func(m array.MemberState) bool { return m.Device == d.Name && m.Is("faulty") })
			if entries, _ := os.ReadDir(filepath.Join(m.Sys, "class/block", d.Name, "holders")); failed || len(entries) == 0 {
				out = append(out, d)
			}
		}
	}
	return out
}

// maps lists the devices of device-mapper above a disk that stand on disks that can be read, and
// that are not suspended: a read would wait.
func (m *Members) maps(disk *blockdev.Device, disks []*blockdev.Device) (out []*blockdev.Device) {
	for _, name := range blockdev.Holders(m.Sys, disk.Name) {
		d, err := blockdev.Read(m.Sys, name)
		if err != nil || d.Kind != blockdev.KindDM {
			continue
		}
		text, _ := os.ReadFile(filepath.Join(m.Sys, "class/block", name, "dm/suspended"))
		if strings.TrimSpace(string(text)) == "0" && !slices.ContainsFunc(d.Units(), func(below *blockdev.Device) bool { return !below.In(disks) }) {
			out = append(out, d)
		}
	}
	return out
}

// placeTaken is what whyNot returns of a member whose slot has another one.
const placeTaken = "has a place that another member has taken"

// whyNot returns why a former member must not be taken back; empty: it may. A member that knows
// none of the running ones in its place may have been written to without them, and their bitmap
// does not have what changed then.
func whyNot(sb md.Superblock, running []md.Superblock, s array.State) string {
	slot := sb.Role(sb.Number)
	newer := func(r md.Superblock) bool { return r.Events >= sb.Events }
	known := func(r md.Superblock) bool { return sb.Role(r.Number) == r.Role(r.Number) }
	switch {
	case !slices.ContainsFunc(running, newer):
		return "has newer data than the array that runs"
	case slot == md.RoleFaulty, slot == md.RoleJournal:
		return "is not a member by its own superblock"
	case !slices.ContainsFunc(running, known):
		return "may have been written to without the array that runs"
	case slices.ContainsFunc(s.Members, func(m array.MemberState) bool {
		return m.Slot == int(slot) && !m.Is("faulty") && m.Device != ""
	}):
		return placeTaken
	}
	return ""
}

// tell logs why a member is not taken back, once.
func (m *Members) tell(name, device, why string) {
	text := fmt.Sprintf("array %s: %s %s: not taken back: mdadm --zero-superblock /dev/%s and mdadm /dev/%s --add /dev/%s would write it anew from the array",
		name, device, why, device, name, device)
	if m.told == nil {
		m.told = map[string]bool{}
	}
	if !m.told[text] {
		m.told[text] = true
		m.Log.Errorf("%s", text)
	}
}

// take takes a member back. A spare, and one that has missed too much, is written anew as a whole;
// that one is not if it has a rival: the rival's data may be what the array lacks.
func (m *Members) take(name string, f former, rival string) (took bool, err error) {
	d, sb := f.device, f.sb
	number, slot := array.Number(d.Number), sb.Role(sb.Number)
	if slot == md.RoleSpare {
		if err = m.Arrays.Add(name, number); err == nil {
			m.Log.Infof("array %s: %s is back, a spare", name, d.Name)
		}
		return err == nil, m.unless(err, name, number)
	}
	err = m.Arrays.ReAdd(name, number, sb.Number, int(slot))
	switch {
	case err == nil:
		m.Log.Infof("array %s: %s is back: what has changed meanwhile is written to it", name, d.Name)
	case errors.Is(err, array.ErrTooOld) && rival != "":
		m.tell(name, d.Name, "has missed too much, and its place is that of "+rival+" too")
		return false, nil
	case errors.Is(err, array.ErrTooOld):
		if err = m.Arrays.Add(name, number); err == nil {
			m.Log.Warnf("array %s: %s is back, and has missed too much: all of it is written anew", name, d.Name)
		}
	}
	return err == nil, m.unless(err, name, number)
}

// unless returns an error unless the array has the member: mdadm may have added it, by a rule of
// udev.
func (m *Members) unless(err error, name string, n array.Number) error {
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	s, serr := m.Arrays.State(name)
	if serr == nil && slices.ContainsFunc(s.Members, func(m array.MemberState) bool { return m.Number == n && !m.Is("faulty") }) {
		return nil
	}
	return err
}

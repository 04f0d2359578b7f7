package array

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrTooOld is wrapped by the error of ReAdd if the array does not know any more what has changed
// since the member left it: without a write-intent bitmap, or if the bitmap was cleared since.
var ErrTooOld = errors.New("too much has changed since the member left the array")

// ReAdd takes a former member back into a running array, by its superblock, whose number and slot
// are given: the kernel rebuilds what the write-intent bitmap has as changed since the member left.
// An array that is read-auto stays so, and rebuilds it after the first write.
//
// [ErrTooOld]: only [Paths.Add] can take it, and all of it is rebuilt. [ErrNotMember]: its
// superblock is not of this array. unix.EBUSY: its old device is in the array still, which
// [Paths.RemoveFailed] removes, or the device is in use. It is no error if the array has the member
// already.
func (p Paths) ReAdd(name string, m Number, number uint32, slot int) error {
	err := p.add(name, m, int32(number), int32(slot), diskActive|diskSync)
	if errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("%w: %w", ErrTooOld, err)
	}
	if err != nil {
		return fmt.Errorf("re-add member %s of array %s: %w", m, name, err)
	}
	return nil
}

// Add adds a device to a running array as a spare, which the kernel rebuilds. It has to have a
// superblock of the array, as a former member has. An array that is read-auto becomes writable.
// Errors are those of ReAdd but ErrTooOld; unix.EINVAL: the level has no spares.
func (p Paths) Add(name string, m Number) error {
	if err := p.add(name, m, -1, -1, 0); err != nil {
		return fmt.Errorf("add member %s to array %s: %w", m, name, err)
	}
	return nil
}

// add takes an error for none if the array has the member then: mdadm may have added it, by a rule
// of udev.
func (p Paths) add(name string, m Number, number, slot, state int32) error {
	if err := checkName(name); err != nil {
		return err
	}
	flags, err := p.formerFlags(name, m)
	if err != nil {
		return err
	}
	f, err := p.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ioctl(f, addNewDisk, diskInfo(m, number, slot, state|flags)); err != nil && !p.has(name, m) {
		return err
	}
	return p.rebuild(f, name, m)
}

// rebuild sees to it that the kernel begins to rebuild a member that was added. It forgets to, if
// the array is written to for the first time while its thread looks at the member (drivers/md/md.c:
// md_check_recovery clears MD_RECOVERY_NEEDED for read-auto, md_write_start sets it without the
// lock). HOT_REMOVE_DISK waits for that thread, 5 s at most; there is no device 0:0 to remove.
func (p Paths) rebuild(f *os.File, name string, m Number) error {
	if err := ioctl(f, hotRemoveDisk, nil); err != nil && !errors.Is(err, unix.ENXIO) {
		return err
	}
	s, err := p.state(name)
	if err != nil || s.SyncAction != "idle" || s.ArrayState == "read-auto" || s.ArrayState == "readonly" {
		return err
	}
	for _, has := range s.Members {
		if has.Number != m || has.Is("in_sync") {
			continue
		}
		err = writeText(filepath.Join(p.md(name), "sync_action"), "recover")
		if errors.Is(err, unix.EBUSY) { // it has just begun
			err = nil
		}
	}
	return err
}

// has reports whether the array has a member that works.
func (p Paths) has(name string, m Number) bool {
	s, err := p.state(name)
	if err != nil {
		return false
	}
	for _, has := range s.Members {
		if has.Number == m && !has.Is("faulty") {
			return true
		}
	}
	return false
}

// RemoveFailed removes the members that failed from an array, and those whose device is gone: the
// kernel notices that at the next I/O alone, so they are marked as faulty first, if the array can
// do without them. unix.EBUSY: I/O of one is still under way.
func (p Paths) RemoveFailed(name string) error {
	err := checkName(name)
	if err == nil {
		err = p.removeFailed(name)
	}
	if err != nil {
		return fmt.Errorf("remove failed members of array %s: %w", name, err)
	}
	return nil
}

func (p Paths) removeFailed(name string) error {
	entries, err := os.ReadDir(p.md(name))
	if err != nil {
		return err
	}
	var failures error
	for _, e := range entries {
		member, ok := strings.CutPrefix(e.Name(), "dev-")
		if !ok {
			continue
		}
		if err := p.removeIfFailed(name, e.Name()); err != nil && !gone(err) {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", member, err))
		}
	}
	return failures
}

func (p Paths) removeIfFailed(name, dir string) error {
	m, err := readMember(filepath.Join(p.md(name), dir))
	if err != nil {
		return err
	}
	state := filepath.Join(p.md(name), dir, "state")
	if !m.Is("faulty") {
		if m.Device != "" {
			return nil
		}
		if s, err := p.state(name); err != nil || !s.tolerates() {
			return err
		}
		if err := writeText(state, "faulty"); err != nil {
			return err
		}
	}
	return writeText(state, "remove")
}

// tolerates reports whether the array stays up if any one more of its members fails. If it does
// not, the kernel would mark the array itself as broken (drivers/md/raid1.c: raid1_error).
func (s *State) tolerates() bool {
	limit := map[string]int{"raid1": s.Disks - 1, "raid4": 1, "raid5": 1, "raid6": 2, "raid10": 1}[s.Level]
	return s.Degraded < limit
}

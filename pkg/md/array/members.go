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

// ReAdd takes a former member back into a running array, by its superblock: the kernel rebuilds
// what the write-intent bitmap has as changed since the member left, and nothing if nothing was
// written. number and slot are those of its superblock. [ErrTooOld]: only [Paths.Add] can take it,
// and all of it is rebuilt; the kernel answers the same for a device without a superblock of the
// array's version. unix.EBUSY: its old device is in the array still, which [Paths.RemoveFailed]
// removes, or it is in use. It is no error if the array has the member already.
//
// The kernel does not compare the UUID in the superblock with the array's: the caller has to.
func (p Paths) ReAdd(name string, m Number, number uint32, slot int) error {
	err := p.add(name, m, diskInfo(m, int32(number), int32(slot), diskActive|diskSync))
	if errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("%w: %w", ErrTooOld, err)
	}
	if err != nil {
		return fmt.Errorf("re-add member %s of array %s: %w", m, name, err)
	}
	return nil
}

// Add adds a device to a running array as a spare, which the kernel rebuilds. It has to have a
// superblock of the array's version, that of a former member for example. An array that is
// read-auto becomes writable. Errors are those of ReAdd, with unix.EINVAL for ErrTooOld.
func (p Paths) Add(name string, m Number) error {
	if err := p.add(name, m, diskInfo(m, -1, -1, 0)); err != nil {
		return fmt.Errorf("add member %s to array %s: %w", m, name, err)
	}
	return nil
}

func (p Paths) add(name string, m Number, info []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, err := os.Stat(p.md(name)); err != nil {
		return err
	}
	f, err := p.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	err = ioctl(f, addNewDisk, info)
	if err != nil && p.has(name, m) { // mdadm may have added it, by a rule of udev
		return nil
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

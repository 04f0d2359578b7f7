package array

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ModuleError is an operation that needs a module which is not loaded.
type ModuleError struct {
	Module string // "md_mod", "raid456"
	Err    error
}

func (e *ModuleError) Error() string {
	return "module " + e.Module + " is not loaded: " + e.Err.Error()
}

// Unwrap returns the kernel's error.
func (e *ModuleError) Unwrap() error { return e.Err }

var errLeftOut = errors.New("the kernel left it out of the array")

// Start starts an array of members whose superblocks are of version 1.minor, whole or degraded. The
// name is md127, the number being the device's minor number, or md_home; unix.EEXIST: an array has
// it. Its node is there then, and the kernel looks for partitions on it when the node is opened the
// next time.
//
// The array is read-auto: until something is written to it the kernel writes nothing to its
// members, resyncs nothing, and rebuilds nothing. (It writes the superblock of a write-intent
// bitmap at the start and at the end, with the content that it has, unless a crash came in the
// midst of an update.) Arrays without redundancy have no such state, and their members are not
// written to either before something is written to the array. For this Start sets the parameter
// start_ro of md_mod while it runs the array: the caller sees to it that no other Start is under
// way, and an array that another process starts meanwhile is read-auto as well.
//
// The caller loads md_mod and the level's module; a *[ModuleError] names one that is missing. Each
// other error is the kernel's, which tells the reason in its log alone, behind "md:" or "md/".
// unix.EBUSY: a member is in use. unix.EROFS or unix.EACCES: it is write-protected; some drivers
// let the array start "readonly" then. unix.EINVAL: a member has no superblock of this version, or
// one of another array. unix.EIO, or EINVAL of the whole: too few members, or a dirty array that is
// degraded. After an error nothing of the array is left.
func (p Paths) Start(name string, minor int, members []Number) error {
	err := checkName(name)
	if err == nil {
		err = p.create(name)
	}
	if err == nil {
		if err = p.assemble(name, minor, members); err != nil {
			err = errors.Join(err, p.clear(name))
		}
	}
	if err != nil {
		return fmt.Errorf("start array %s: %w", name, err)
	}
	return nil
}

// create makes the device, without members.
func (p Paths) create(name string) error {
	err := writeText(p.parameter("new_array"), name)
	if errors.Is(err, fs.ErrNotExist) {
		err = &ModuleError{"md_mod", err}
	}
	return err
}

func (p Paths) assemble(name string, minor int, members []Number) error {
	f, err := p.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ioctl(f, setArrayInfo, ints(arrayInfoLen, 1, int32(minor))); err != nil {
		return fmt.Errorf("superblocks of version 1.%d: %w", minor, err)
	}
	for _, m := range members {
		// Number, slot and state are those of the superblock.
		if err := ioctl(f, addNewDisk, diskInfo(m, 0, 0, 0)); err != nil {
			return fmt.Errorf("member %s: %w", m, err)
		}
	}
	if err := p.run(f); err != nil {
		return p.runError(name, err)
	}
	return p.complete(name, members)
}

// run runs the array, read-auto.
func (p Paths) run(f *os.File) (err error) {
	path := p.parameter("start_ro")
	old, err := readText(path)
	if err == nil {
		err = writeText(path, "1")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, writeText(path, old)) }()
	if err := ioctl(f, runArray, ints(paramLen)); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// modules are those of the levels, as the attribute level has them before the array runs. Each has
// parameters, so its directory is in sysfs also if it is built in. Linear has none.
var modules = map[string]string{"0": "raid0", "1": "raid1", "4": "raid456", "5": "raid456", "6": "raid456", "10": "raid10"}

// runError finds out whether a module is missing: the kernel returns EINVAL for that as for much
// else (drivers/md/md.c: md_run).
func (p Paths) runError(name string, err error) error {
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	level, levelErr := readText(filepath.Join(p.md(name), "level"))
	module := modules[strings.TrimPrefix(level, "raid")]
	if levelErr != nil || module == "" {
		return err
	}
	if _, statErr := os.Stat(filepath.Join(p.Sys, "module", module)); errors.Is(statErr, fs.ErrNotExist) {
		return &ModuleError{module, err}
	}
	return err
}

// complete fails if the array does not run, which some kernels give no error for
// (drivers/md/linear.c: linear_run), and if it runs without one of the members: the kernel leaves
// out one whose events are too few (drivers/md/md.c: analyze_sbs), and runs degraded what was to be
// whole.
func (p Paths) complete(name string, members []Number) error {
	s, err := p.state(name)
	if err == nil && s.ArrayState == "inactive" {
		err = fmt.Errorf("run: %w", unix.EIO)
	}
	if err != nil {
		return err
	}
	for _, m := range members {
		if !slices.ContainsFunc(s.Members, func(has MemberState) bool { return has.Number == m }) {
			return fmt.Errorf("member %s: %w", m, errLeftOut)
		}
	}
	return nil
}

// clear does what STOP_ARRAY does, also for a device without a node. The kernel removes the device
// then, because nothing has it open.
func (p Paths) clear(name string) error {
	err := writeText(filepath.Join(p.md(name), "array_state"), "clear")
	if gone(err) {
		return nil
	}
	return err
}

// Stop stops an array and removes its device, within the kernel's next moments. Nothing is written
// to the members of an array that is read-auto. unix.EBUSY: it is in use.
func (p Paths) Stop(name string) error {
	err := checkName(name)
	if err == nil {
		err = p.stop(name)
	}
	if err != nil {
		return fmt.Errorf("stop array %s: %w", name, err)
	}
	return nil
}

// stop looks at sysfs first: an open of a node that is left over would make a new array
// (drivers/md/md.c: md_probe).
func (p Paths) stop(name string) error {
	if _, err := os.Stat(p.md(name)); err != nil {
		return err
	}
	f, err := p.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return ioctl(f, stopArray, nil)
}

package switchroot

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"
)

// ErrNotInitramfs reports that "/" is a real file system, which must not be emptied.
var ErrNotInitramfs = errors.New("the root in use is not an initramfs")

// Target is the root to switch to, as the checks found it.
type Target struct {
	Dir         string   // where root is mounted
	Init        string   // path in root
	Args        []string // init's arguments, without its own name
	Env         []string
	MountPoints []string // the result of MountPoints
}

// Switch makes the file system at t.Dir the root and executes init. On success it does not return.
// freed is called when the initramfs is empty, right before the last step.
func Switch(t Target, freed func()) error {
	if ok, err := mount.IsTmpRamfs("/"); err != nil {
		return fmt.Errorf("switch root: %w", err)
	} else if !ok {
		return fmt.Errorf("switch root: %w", ErrNotInitramfs)
	}
	old, err := os.Open("/")
	if err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := moveMounts(t); err != nil {
		return err
	}
	if err := os.Chdir(t.Dir); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", t.Dir, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot %s: %w", t.Dir, err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	// Memory that is not freed is lost, but the machine runs.
	_ = empty(old)
	_ = old.Close()
	freed()
	argv := append([]string{t.Init}, t.Args...)
	return &os.PathError{Op: "exec", Path: t.Init, Err: unix.Exec(t.Init, argv, t.Env)}
}

// moveMounts moves the kernel's file systems into the new root, and detaches those that have no
// directory there.
func moveMounts(t Target) error {
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run"} {
		if !slices.Contains(t.MountPoints, dir) {
			_ = mount.Unmount(dir, false, true)
			continue
		}
		if err := mount.MoveMount(dir, t.Dir+dir); err != nil {
			return fmt.Errorf("move mount %s: %w", dir, err)
		}
	}
	return nil
}

// empty deletes what is in dir and below it on the same file system.
func empty(dir *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	return emptyBelow(dir, st.Dev)
}

func emptyBelow(dir *os.File, dev uint64) error {
	names, err := dir.Readdirnames(-1)
	errs := []error{err}
	fd := int(dir.Fd())
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Dev != dev {
			errs = append(errs, err) // a mount: must not be emptied
			continue
		}
		flags := 0
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			f := os.NewFile(uintptr(sub), name)
			errs = append(errs, emptyBelow(f, dev))
			_ = f.Close()
			flags = unix.AT_REMOVEDIR
		}
		errs = append(errs, unix.Unlinkat(fd, name, flags))
	}
	return errors.Join(errs...)
}

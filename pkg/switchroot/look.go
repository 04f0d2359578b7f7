package switchroot

import (
	"fmt"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"
)

// lookOptions keep a file system from replaying its journal even though it is
// mounted read-only. The others have none, or do not replay.
var lookOptions = map[string]string{
	"ext3":  ",noload",             // fs/ext4/super.c: ext4_param_specs
	"ext4":  ",noload",             // the same
	"xfs":   ",norecovery",         // fs/xfs/xfs_super.c: xfs_fs_parameters
	"btrfs": ",rescue=nologreplay", // fs/btrfs/super.c: btrfs_parameter_rescue
	"f2fs":  ",norecovery",         // fs/f2fs/super.c: f2fs_tokens
}

// Look mounts c read-only, so that not even a journal is replayed, calls f and
// unmounts again: looking writes nothing to the device. Of c's options only
// those count that say which part of the file system is meant.
//
// The device itself is set to read-only meanwhile, because some file systems
// write in spite of all options: ext4 cleans up its list of orphans
// (fs/ext4/orphan.c: ext4_orphan_cleanup).
func Look(c MountConfig, f func(dir string) error) error {
	restore, err := forbidWrites(c.Device)
	if err != nil {
		return fmt.Errorf("look at %s: %w", c.Device, err)
	}
	defer restore()
	c.ReadWrite, c.Options = false, "ro"+lookOptions[c.FSType]+subvolume(c.Options)
	if err := Mount(c); err != nil {
		return err
	}
	err = f(c.Dir)
	if uerr := mount.Unmount(c.Dir, false, false); uerr != nil && err == nil {
		err = fmt.Errorf("unmount %s: %w", c.Device, underlying(uerr))
	}
	return err
}

// subvolume returns the options that choose a subvolume of btrfs.
func subvolume(options string) string {
	out := ""
	for o := range strings.SplitSeq(options, ",") {
		if strings.HasPrefix(o, "subvol=") || strings.HasPrefix(o, "subvolid=") {
			out += "," + o
		}
	}
	return out
}

// forbidWrites sets a block device to read-only in the kernel, if it is not
// already. restore undoes that. What is no block device is left alone.
func forbidWrites(path string) (restore func(), err error) {
	nothing := func() {}
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeType != os.ModeDevice {
		return nothing, nil // mount says what is wrong with it
	}
	was := 0
	err = withDevice(path, func(fd int) error {
		if was, err = unix.IoctlGetInt(fd, unix.BLKROGET); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.BLKROSET, 1)
	})
	if err != nil || was != 0 {
		return nothing, err
	}
	return func() {
		// It would be seen when root is mounted read-write.
		_ = withDevice(path, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.BLKROSET, 0) })
	}, nil
}

// withDevice opens a device without waiting for a medium.
func withDevice(path string, f func(fd int) error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return f(fd)
}

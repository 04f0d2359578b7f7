package switchroot

import (
	"fmt"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
)

// Look mounts c read-only, so that not even a journal is replayed, calls f and unmounts again: this
// writes nothing to the device. Of c's options only those are used that select a subvolume.
//
// The device itself is set to read-only meanwhile, because some file systems write even if mounted
// read-only: ext4 cleans up its list of orphans (fs/ext4/orphan.c: ext4_orphan_cleanup).
func Look(c MountConfig, f func(dir string) error) error {
	restore, err := forbidWrites(c.Device)
	if err != nil {
		return fmt.Errorf("look at %s: %w", c.Device, err)
	}
	defer restore()
	c.ReadWrite, c.Options = false, "ro"+subvolume(c.Options)
	if option := fstypes.Of(c.FSType).NoReplay; option != "" {
		c.Options += "," + option
	}
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

// forbidWrites sets a block device to read-only in the kernel, if it is not already. restore undoes
// that. A path that is not a block device is ignored.
func forbidWrites(path string) (restore func(), err error) {
	nothing := func() {}
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeType != os.ModeDevice {
		return nothing, nil // mount reports the error
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
		// A failure shows when root is mounted read-write.
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

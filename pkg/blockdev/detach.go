package blockdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// writeThrough makes the kernel treat the cache of a disk as one that needs no flush, without a
// command to the disk (drivers/scsi/sd.c: cache_type_store). Older kernels require the newline.
const writeThrough = "temporary write through\n"

// Detach removes a logical unit to which nothing was written from the kernel
// (drivers/scsi/scsi_sysfs.c: sdev_store_delete). That would flush the cache of its disk first
// (drivers/scsi/sd.c: sd_shutdown), and so wait for the target, although there is nothing to flush.
// A unit that does not exist any more is no error. sys is the mount point of sysfs.
func Detach(sys string, u LUN) error {
	dir := u.Dir(sys)
	_ = store(filepath.Join(dir, "scsi_disk", u.Address, "cache_type"), writeThrough) // or it is flushed
	err := store(filepath.Join(dir, "delete"), "1")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// store writes to a file of sysfs, without creating it.
func store(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// ErrInUse is the error for a disk that is mounted, or part of another device.
var ErrInUse = errors.New("is in use")

// InUse reports whether a disk or one of its partitions is mounted, or part of another device: an
// exclusive open fails then (block/bdev.c: bd_may_claim). A disk that cannot be opened is not in
// use. dev is the mount point of devtmpfs.
func InUse(dev, name string) (bool, error) {
	path := filepath.Join(dev, name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_EXCL|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		return false, unix.Close(fd)
	case errors.Is(err, unix.EBUSY):
		return true, nil
	}
	return false, fmt.Errorf("open %s: %w", path, err)
}

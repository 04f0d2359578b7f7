package blockdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Detach removes a logical unit from the kernel (drivers/scsi/scsi_sysfs.c:
// sdev_store_delete), which flushes its cache first and so waits for the target.
// sys is the mount point of sysfs.
func Detach(sys string, u Unit) error {
	return os.WriteFile(filepath.Join(sys, "class/scsi_device", u.Address, "device/delete"), []byte("1"), 0)
}

// InUse tells whether a disk or one of its partitions is mounted, or part of
// another device: an exclusive open fails then (block/bdev.c: bd_may_claim). A
// disk that cannot be opened is not in use. dev is the mount point of devtmpfs.
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

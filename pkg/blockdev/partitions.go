package blockdev

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Rescan makes the kernel read the properties of a SCSI disk again: size, write protection, cache
// and limits (drivers/scsi/sd.c: sd_revalidate_disk), and its names (drivers/scsi/scsi.c:
// scsi_attach_vpd). A probe that is under way is waited for: both take the device's lock
// (drivers/scsi/scsi_scan.c: scsi_rescan_device). sys is the mount point of sysfs, name is "sda".
func Rescan(sys, name string) error {
	return os.WriteFile(filepath.Join(sys, "class/block", name, "device/rescan"), []byte("1"), 0)
}

// ProbeAgain makes the kernel read a disk and its partition table again: a probe that failed midway
// leaves a disk of size 0, or without partitions, or one whose cache the kernel regards as write
// through and does not flush. A disk that does not exist yet, or is in use and so was probed, is no
// error.
func ProbeAgain(sys, dev, name string) error {
	if err := Rescan(sys, name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := ReadPartitions(filepath.Join(dev, name))
	for _, fine := range []error{unix.ENOENT, unix.ENXIO, unix.ENOMEDIUM, unix.EBUSY} {
		if errors.Is(err, fine) {
			return nil
		}
	}
	return err
}

// ReadPartitions makes the kernel read the partition table of a disk anew (block/ioctl.c:
// BLKRRPART). unix.EBUSY: a partition is in use.
func ReadPartitions(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.IoctlRetInt(fd, unix.BLKRRPART); err != nil {
		return &os.PathError{Op: "read partitions of", Path: path, Err: err}
	}
	return nil
}

package array

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ioctls of include/uapi/linux/raid/md_u.h: _IOW(MD_MAJOR, ...) with the sizes below, and _IO
// for what takes no structure. The numbers are the same on amd64 and arm64.
const (
	setArrayInfo  = 1<<30 | arrayInfoLen<<16 | 9<<8 | 0x23
	addNewDisk    = 1<<30 | diskInfoLen<<16 | 9<<8 | 0x21
	hotRemoveDisk = 9<<8 | 0x22
	runArray      = 1<<30 | paramLen<<16 | 9<<8 | 0x30
	stopArray     = 9<<8 | 0x32
)

// Sizes of structures that are made of the type int alone, in bytes.
const (
	arrayInfoLen = 18 * 4 // mdu_array_info_t: major_version, minor_version, 16 more
	diskInfoLen  = 5 * 4  // mdu_disk_info_t: number, major, minor, raid_disk, state
	paramLen     = 3 * 4  // mdu_param_t, which the kernel does not read
)

// Bits of mdu_disk_info_t.state (include/uapi/linux/raid/md_p.h: MD_DISK_...).
const (
	diskActive      = 1 << 1
	diskSync        = 1 << 2
	diskWriteMostly = 1 << 9
	diskFailFast    = 1 << 10
)

// ints returns a structure of ints, size bytes; what values leave out is 0.
func ints(size int, values ...int32) []byte {
	b := make([]byte, 0, size)
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return b[:size]
}

// diskInfo is what ADD_NEW_DISK takes.
func diskInfo(m Number, number, slot, state int32) []byte {
	return ints(diskInfoLen, number, int32(m.Major), int32(m.Minor), slot, state)
}

// open opens an array's node, which devtmpfs has as soon as the array is in sysfs. For reading: the
// ioctls ask for CAP_SYS_ADMIN alone, a kernel without CONFIG_BLK_DEV_WRITE_MOUNTED refuses to open
// a mounted device for writing, and udev looks at a device again when a writer closes it.
func (p Paths) open(name string) (*os.File, error) { return os.Open(filepath.Join(p.Dev, name)) }

// ioctl may be interrupted while it waits for the array's lock; nothing has been done then.
func ioctl(f *os.File, command uint, b []byte) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(command), uintptr(unsafe.Pointer(unsafe.SliceData(b))))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

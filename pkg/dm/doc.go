// Package dm controls device-mapper by ioctl: it makes dm devices of tables, without libdevmapper
// and without udev.
//
// A device is made by three operations: Create, Load, Resume; [Control.Activate] is all of them. A
// change of a table of a device that is in use is Load and Resume: I/O waits meanwhile. Where
// devices stand on each other, and root on them, it is [Control.Exchange]. The layouts are those of
// include/uapi/linux/dm-ioctl.h, the behaviour is that of drivers/md/dm-ioctl.c.
//
// What udev has to be told of a device that was made before it ran is in pkg/udevdb.
package dm

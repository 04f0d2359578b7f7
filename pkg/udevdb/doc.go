// Package udevdb tells udev of the dm devices that were made before it ran: by records in its
// database, which is /run/udev/data, and by rules below /run/udev/rules.d for a system that has
// none for device-mapper.
//
// The rules of the dmsetup package do not believe the event "add" with which udevadm trigger(8)
// announces what is there at boot: they take it for a device that is not set up yet, unless the
// database has a record of it. Without one systemd takes the device for not ready, there is no link
// to it in /dev/mapper and /dev/disk, and each mount in fstab by such a name times out (upstream
// 10-dm.rules, in Debian 55-dm.rules; 99-systemd.rules). The record has to survive the switch to
// the real system in /run.
package udevdb

// Package legs takes the legs of LVM's raids back into use when their disks are there again, as
// "lvchange --refresh" does, without lvm2: root may have none, and may stand on the raid itself.
//
// A disk whose session was made anew has another number, so the leg's devices get tables with that;
// a leg that was missing when its raid was activated gets its devices first. Then the raid is
// suspended and resumed, and the kernel writes to the leg what it missed, by the raid's bitmap
// (drivers/md/dm-raid.c: attempt_restore_of_faulty_devices, super_init_validation). The metadata of
// LVM is read and never changed.
//
// A linear or striped volume that is a member of an md array gets a table with its disk's new
// number too; package mirrors takes it back into the array then.
package legs

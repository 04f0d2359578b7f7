// Package md reads the superblocks of md RAID and makes arrays of them: which devices are members
// of one array, which of them hold what it has, and whether they suffice to start it. It makes no
// system call; pkg/md/array starts the arrays. The kernel reads the superblocks again when it gets
// the members, so this package only chooses them.
//
// The format is version 1 of include/uapi/linux/raid/md_p.h, in its three places: 1.0 at the end of
// a device, 1.1 at its start, 1.2 after 4 KiB. What the kernel accepts is in drivers/md/md.c:
// super_1_load, super_1_validate, analyze_sbs; what mdadm does with it, in super1.c, Assemble.c and
// util.c: enough. testdata has superblocks that mdadm and a kernel wrote; scripts/md-testdata makes
// them again.
//
// A number is the index of a device in the superblock's table of roles, and stays with it. A slot
// is a place in the array, the kernel's raid_disk. A spare has no slot.
//
// A device that has a superblock is a member and nothing else. With version 1.0 the array's content
// is seen at the start of each member as well: partitions and file systems there belong to the
// array, and are to be looked for on the array alone.
package md

// Package lvm reads the metadata of LVM2 and makes device-mapper tables of it: which volume groups
// the physical volumes at hand make, and which devices an LV stands on. It makes no system call;
// pkg/dm loads the tables.
//
// The formats are those of lvm2 2.03 (lib/label, lib/format_text, lib/config), the names, UUIDs and
// tables those that it gives to the kernel (lib/activate/dev_manager.c, libdm/libdm-deptree.c), so
// that lvm2 on the root finds the devices as its own. testdata has what lvm2 wrote, and the tables
// that it loaded; scripts/lvm-testdata makes it again.
//
// Four words: a physical volume (PV) is a disk or partition with a label; a volume group (VG) is a
// set of them, with one text of metadata in several copies; a logical volume (LV) is a device made
// of their extents; a segment is a range of an LV with one type.
package lvm

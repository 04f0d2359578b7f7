// Package redundancy finds out whether what a machine uses still has all its data without the disks
// of some sessions: mirrors and RAID with parity do, as long as enough of their members are left.
// It follows the devices through partitions, device-mapper and md in any nesting, by sysfs, and
// reads nothing from a disk, so that it can be used while disks do not answer.
//
// What it does not know counts as not redundant.
package redundancy

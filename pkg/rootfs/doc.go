// Package rootfs finds root on the disks of the sessions, and mounts it.
//
// It scans the sessions for their disks ([Storage.FindDisks], pkg/rootfs/scan), runs layers over
// them until nothing new appears (stack.go, pkg/rootfs/stack), looks for the device that the
// command line names, or for one with an init ([Storage.Find]), mounts it with /usr
// ([Storage.Mount]) and checks that the real system can start ([Storage.Check]).
//
// The order in which the LUNs of the targets are searched for root, and when they are detached
// again, is described in luns.go; how long temporary errors are waited for, in temporary.go; how
// long members that an array can do without, in lack.go; the reads of a disk whose session goes
// down end by reads.go; the mount of a journal that cannot be replayed, in journal.go.
package rootfs

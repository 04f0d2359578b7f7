// Package rootfs finds root on the disks of our sessions, and mounts it.
//
// It scans the sessions for their disks ([Storage.FindDisks]), runs layers over them until nothing
// new appears (layers.go, stack.go), looks for the device that the command line names, or for one
// with an init ([Storage.Find]), mounts it with /usr ([Storage.Mount]) and sees whether the real
// system can start ([Storage.Check]).
//
// The order in which the LUNs of the targets are looked at for root, and when they are detached
// again, is written in luns.go; how long what may pass by itself is waited for, in passing.go; what
// is done about a journal that cannot be replayed, in journal.go.
package rootfs

// Package volumes makes disks with volume groups of LVM for the machines of a lab. Debian's lvm2
// makes them, on a kernel, so that they are what a machine with LVM has: in a guest without a
// network, whose disks are empty. A [Set] is made in one run of the guest, kept in the cache, and
// cloned for each test.
package volumes

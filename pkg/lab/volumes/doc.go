// Package volumes makes disks with volume groups of LVM and arrays of md, alone or one on the
// other, for the machines of a lab. Debian's lvm2 and mdadm make them, on a kernel, so that they
// are what a machine with them has: in a guest without a network, whose disks are empty. A [Set] is
// made in one run of the guest, kept in the cache, and cloned for each test.
package volumes

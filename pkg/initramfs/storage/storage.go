// Package storage lists the kinds of devices that root can stand on beside disks and partitions,
// with the kernel modules that they need.
package storage

// Supported returns the names of the kinds.
func Supported() []string { return []string{"lvm", "lvm-raid", "lvm-thin"} }

// Modules returns the modules that a kind needs: those that it cannot do without, and those that it
// needs only for some of its levels. There are none for a name that is not of Supported.
func Modules(name string) (required, useful []string) {
	switch name {
	case "lvm":
		return []string{"dm_mod"}, nil
	case "lvm-raid": // the kernel loads that of the level when the raid is made (drivers/md/md.c: md_run)
		return []string{"dm_mod", "dm_raid"}, []string{"raid0", "raid1", "raid10", "raid456"}
	case "lvm-thin":
		return []string{"dm_mod", "dm_thin_pool"}, nil
	}
	return nil, nil
}

// Package status tells, in a system that runs from iSCSI, how its sessions are: what the kernel
// says in sysfs, and what the agent and the boot have written below /run. It asks nobody and
// changes nothing.
package status

// Package status shows, in a system that runs from iSCSI, the state of its sessions: from sysfs,
// and from the files of the agent and the boot below /run. It only reads.
package status

// Package boot is PID 1 of a boot: the list of its steps, and the wiring between
// them.
//
// The list is [Machine.Steps] in steps.go; its last line is the switch to the real
// root. [Main] is what PID 1 runs. Package sequence runs the steps, package debug is
// the conversation with a person at the shell. Work that outlasts the step that
// begins it belongs to a value of its own: logins to targets that are not there yet
// (logins), the recovery of sessions (recovery.Guard), links and addresses
// (network.Network), and drivers that are slow to load (coldplug). A later step ends
// each of them.
//
// Root is found and mounted by pkg/rootfs.
package boot

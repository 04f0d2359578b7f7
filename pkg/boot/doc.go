// Package boot is PID 1 of a boot: the list of its steps, and the wiring between its stages.
//
// The list is [Machine.Steps] in steps.go; its last line is the switch to the real root. [Main] is
// what PID 1 runs. Package sequence runs the steps, package debug answers the requests of the debug
// shell. The stages, in the order of the boot, are packages drivers, netup, login and pkg/rootfs;
// the hand-over to the real system and the switch to it are here.
//
// Work that outlasts the step that begins it belongs to a value of a stage: drivers that are slow
// to load, links and addresses (network.Network), logins to targets that are not there yet, and the
// recovery of sessions (recovery.Guard). A later step ends each.
package boot

// Package boot is the boot as a list of steps, the runner that starts each one
// as soon as what it needs is there, and what happens when one fails.
//
// The list is [Machine.Steps]; its last line is the switch to the real root.
// [Main] is what PID 1 runs. Work that outlasts the step that begins it belongs
// to a value of its own: logins to targets that are not there yet (logins), the
// recovery of sessions (recovery.Guard), links and addresses (network.Network),
// and drivers that are slow to load (coldplug). A later step ends each of them.
//
// The order in which the LUNs of the targets are looked at for root, and when they
// are detached again, is written in luns.go; how long what may pass by itself is
// waited for, in passing.go; what is done about a journal that cannot be replayed,
// in journal.go.
package boot

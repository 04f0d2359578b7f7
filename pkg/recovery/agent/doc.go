// Package agent is the processes that remain when the real system runs. They recover the sessions
// (recovery.Agent), and keep the network that the boot configured (package uplink), the disks'
// settings (package disks), and arrays going that can do without a target (package mirrors). The
// four do not depend on each other; a worker runs them all.
//
// The agent opens no file of the root: it runs from memory, in a mount namespace without the root,
// and writes to /dev/kmsg alone. PID 1 starts a first worker (Launch) and hands the sessions over
// to it (HandOver). A supervisor keeps a worker running from then on, and each replaces the other
// one if that ends, is stopped or stuck (sharedMemory); a worker's state goes to the next by a file
// in memory (State).
package agent

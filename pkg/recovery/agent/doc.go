// Package agent is the processes that stay when the real system runs. They keep
// the sessions alive (recovery.Agent), the network that the boot brought up (package
// uplink), and the disks' settings (package disks); the three know nothing of each
// other, and a worker runs them all.
//
// The agent opens nothing on the root it keeps alive: it runs from memory, in a
// mount namespace that holds none of it, and speaks to /dev/kmsg alone. PID 1
// starts a first worker (Launch) and gives it the sessions (HandOver). A supervisor
// keeps a worker running from then on, and each replaces the other one if that
// ends, is stopped or stuck (page); what one worker knows goes to the next by a
// file in memory (State).
package agent

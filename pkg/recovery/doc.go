// Package recovery keeps sessions alive while the machine runs: it logs a session
// in again after its connection broke, and obeys what targets ask for, so that the
// root disk outlives both. An Agent decides when and how; the outage of a session
// (outage), connections that do not last (storm) or do not move (stall), other
// programs that log in (owner, deeds, turn), and source addresses that are gone
// (address) are its parts.
//
// PID 1 runs an Agent itself, in a Guard, from the first START on. When the real
// system starts, the agent's processes take over, which run the same Agent:
//
//	pkg/recovery/agent   the processes that stay: supervisor, worker, hand-over of state
//	pkg/recovery/uplink  the network that the boot brought up: addresses, routes, leases
//	pkg/recovery/disks   the disks' retries and time-outs
package recovery

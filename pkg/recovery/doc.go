// Package recovery recovers sessions while the machine runs: it logs a session in again after its
// connection was lost, and follows the asynchronous messages of targets, so that the root disk
// survives both. An Agent decides when and how. Its parts are the outage of a session (outage),
// connections that end soon after their login (storm) or transfer nothing (stall), other programs
// that log in (owner, owneractivity, loginwatch), and removed source addresses (address).
//
// PID 1 runs an Agent itself, in a Guard, from the first START on. When the real system starts, the
// agent's processes take over, which run the same Agent:
//
//	pkg/recovery/agent     the processes that stay: supervisor, worker, hand-over of state
//	pkg/recovery/uplink    the network that the boot brought up: addresses, routes, leases
//	pkg/recovery/disks     the disks' retries and time-outs
//	pkg/recovery/mirrors   arrays that go on without a target, and get it back
//	pkg/recovery/legs      the legs of LVM's raids, when their disks are there again
package recovery

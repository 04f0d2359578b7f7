// Package recovery is the agent that stays when the real system runs: it logs a
// session in again after its connection broke, obeys what targets ask for, and
// keeps the network that the boot brought up, so that the root disk outlives
// both.
//
// The agent opens nothing on the root it keeps alive: it runs from memory, in a
// mount namespace that holds none of it, and speaks to /dev/kmsg alone. A
// supervisor keeps a worker running, and each replaces the other one if that
// ends, is stopped or stuck (page); what one worker knows goes to the next by a
// file in memory (State). The worker has three parts that know nothing of each
// other: an Agent for the sessions, a keeper for links, addresses and routes, and
// a renewer for each lease of IPv4. Leases of IPv6 are the system's to renew.
//
// Until the agent has the sessions PID 1 recovers them itself, from the first
// START on, by a Guard, which runs the same Agent.
package recovery

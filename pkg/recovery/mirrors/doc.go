// Package mirrors keeps mirrors, and RAID with parity, going while a target is away, and takes
// their members back when it returns, for the agent (package recovery/agent).
//
// The kernel holds the I/O of a session that is down back for as long as recovery_tmo lasts, which
// is long for all sessions: whichever target is away, a root disk must not fail. An array waits for
// each of its members meanwhile, although the others have all data. So the agent ends a session
// that is down for a while, if all that is in use works without it and without the other sessions
// that are down then (package redundancy): its I/O fails at once, and the arrays go on. A new
// session of the kernel takes its place, and is logged in when the target answers. Where no member
// is left no session is ended, and all waits, as on one path; nor is one while the disks of the
// others complete no command. The session of a path is never ended: the multipath map's I/O is made
// to fail (package recovery/paths).
//
// The array takes its member back by its write-intent bitmap: only what has changed is written.
package mirrors

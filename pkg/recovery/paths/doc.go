// Package paths keeps the multipath maps of the sessions' disks alive: it fails the paths of a
// session at once when the session is down, before dm notices, and reinstates them when they can be
// read again. Disks that come late join their map, and the groups follow the access states. While
// no path works a map holds I/O back for a limited time.
//
// A Keeper compares the states of sessions and maps whenever one of them may have changed: process
// 1 has one from the first map on, and the agent after that.
package paths

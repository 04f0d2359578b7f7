// Package maps makes multipath maps of the disks of sessions, and changes their paths: for the
// search for root, and for what keeps the paths later (package recovery/paths).
//
// A map has the WWID as its name, and a uuid by which multipath-tools take it over. The kernel
// gives a map new paths by a new table only, in which no path has failed: after a change those that
// had failed are failed again.
package maps

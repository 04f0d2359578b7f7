// Package runstate is what the boot and the agent write below /run/iscsiroot for the programs that
// come after them, and for people: the sessions of the boot, the leases, how things are, and how
// the machine is to end. It holds the values, their text, the paths, and the names of the agent's
// processes, which have no file.
//
// A file is lines of words. A reader passes over lines and keys that it does not know, and takes a
// value that it cannot read for one that is not there: a shutdown does not fail for a line that is
// damaged. So a new line or key needs no new version. A change that an older reader would take for
// something else does: the file then names its version, and a reader refuses one that it does not
// know. A file without one, as all so far, has version 1.
package runstate

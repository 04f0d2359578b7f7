// Package runstate is what the boot and the agent write below /run/iscsiroot for the programs that
// come after them, and for people: the sessions of the boot, the leases, the state of both, and how
// the machine is to end. It holds the values, their text, the paths, and the names of the agent's
// processes, which have no file.
//
// A file is lines of words. A reader ignores unknown lines and keys, and treats a value that it
// cannot read as missing: a shutdown does not fail because of a damaged line. So a new line or key
// needs no new version. A change that an older reader would misread does: the file then names its
// version, and a reader refuses an unknown one. A file without one, as all so far, has version 1.
package runstate

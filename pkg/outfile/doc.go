// Package outfile writes the files of the host tool completely, or not at all.
//
// A run may be ended by an error, by a signal, or by SIGKILL and power loss. For the first two,
// [Undo] holds what is to be taken back. For the last, each temporary file and directory is locked
// with flock(2) while its run is alive: the kernel releases the lock with the process, so the next
// run can tell what belongs to a run that is dead, and removes it.
package outfile

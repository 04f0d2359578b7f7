// Package blockdev finds the disks of a session and the file system to boot from on them.
//
// It looks at the disks of our own sessions only, reads what it needs and writes nothing. It mounts
// nothing either: whether a file system holds an init is the caller's question.
package blockdev

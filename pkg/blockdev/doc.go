// Package blockdev finds the disks of a session and the file system to boot from on them.
//
// It only reads. It mounts nothing: whether a file system holds an init is for the caller to check.
package blockdev

// Package switchroot mounts a root file system, checks that it can be switched to, and switches: it
// moves the kernel's file systems over, frees the initramfs and executes the real init.
//
// All checks come first. The contents of the initramfs are needed to report errors and to open a
// shell, and [Switch] cannot be undone.
package switchroot

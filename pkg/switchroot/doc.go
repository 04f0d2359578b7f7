// Package switchroot mounts a root file system, checks that it can be switched to, and switches: it
// moves the kernel's file systems over, frees the initramfs and executes the real init.
//
// All checks come first. What the initramfs still holds is needed to say what is wrong and to open
// a shell, and after [Switch] has begun there is no way back.
package switchroot

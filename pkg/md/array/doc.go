// Package array starts, watches and stops the kernel's md arrays by ioctl and sysfs, without mdadm
// and without udev. It takes members that have a superblock of version 1: pkg/md reads those, and
// tells which of them make an array.
//
// The layouts are those of include/uapi/linux/raid/md_u.h, the behaviour is that of drivers/md/md.c
// from Linux 5.10 on. No operation has a time limit: all but [Paths.List] and [Paths.State] may
// wait for I/O of a member, as long as the member's driver waits.
package array

//go:build linux

// Iscsiroot is the host tool of a machine that boots from an iSCSI disk.
//
//	iscsiroot build --kernel-version 6.1.0-9-amd64 --output initrd.img
//
// build makes the initramfs. It needs no privilege, changes nothing but the output file, and makes the same image from
// the same input. "iscsiroot build --help" lists its options. Exit status: 0, or 1 with one line on standard error.
package main

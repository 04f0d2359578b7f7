// Iscsiroot is the host tool of a machine that boots from an iSCSI disk.
//
//	iscsiroot build --kernel-version 6.1.0-9-amd64 --output initrd.img
//
// build makes the initramfs, of the same input the same image. ls, cat and unpack show what is in
// one, of whatever builder, and check tells what a boot with it would lack. pxe writes the files of
// a server that boots machines from a network, from one description of the machines, and try boots
// one of them in QEMU from these files. discover shows which targets a portal has. version tells
// what it is made of, and man shows the manual.
//
// try and status need Linux; on another system they fail with the reason. No command but try needs
// a privilege, and none leaves half of its output behind. "iscsiroot COMMAND --help" lists the
// options. Exit status: 0, or 1 with the reason on standard error, or 2 without a command.
package main

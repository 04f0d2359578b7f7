// Package kernel hands iSCSI sessions to the Linux kernel through NETLINK_ISCSI, as
// include/scsi/iscsi_if.h describes it, and carries login PDUs over a connection that the kernel
// already owns.
//
// A [Transport] is one open socket; it makes a [Session] with one connection. The order of a login
// is Create, Bind, SetParam, the PDUs of the login through [Session.Pipe], SetParam, Start; after
// any error it is Stop and Bind again. Package session decides what to log in to and when to retry.
//
// Layouts are those of 64-bit machines in native byte order.
package kernel

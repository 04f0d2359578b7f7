// Package ibft reads the iSCSI Boot Firmware Table, in which a boot firmware, iPXE or a NIC's own,
// describes the session it booted from.
//
// [Parse] reads the table's bytes and [Table.Encode] writes them; [FromSysfs] reads the files of
// the kernel's iscsi_ibft driver. [Find] looks in the places where a running Linux shows a table.
// All of them work on bytes and file systems that are passed in, and ask the kernel for nothing.
//
// The layout is that of Linux's include/acpi/actbl1.h, which is the specification's version 1.03.
package ibft

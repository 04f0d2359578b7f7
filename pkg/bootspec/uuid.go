package bootspec

import (
	"slices"
	"strings"
)

// commonUUIDs are UUIDs that vendors of boards and firmware left in the SMBIOS of many machines, in
// addition to those that sharedUUID finds by their form. Most are of FreeBSD's list
// (libexec/rc/rc.d/hostid: valid_hostid).
var commonUUIDs = [...]string{
	"00010203-0405-0607-0809-0a0b0c0d0e0f",
	"00020003-0004-0005-0006-000700080009", // AMI's default
	"01020304-0506-0708-090a-0b0c0d0e0f10",
	"01234567-89ab-cdef-0123-456789abcdef",
	"07090201-0103-0301-0807-060504030201",
	"11111111-2222-3333-4444-555555555555",
	"12345678-1234-5678-1234-567812345678",
	"12345678-1234-5678-90ab-cddeefaabbcc", // Insyde's default
	"4c4c4544-0000-2010-8020-80c04f202020", // Dell's without a service tag
	"890e2d14-cacd-45d1-ae66-bc80e8bfeb0f",
	"8a95d198-7f46-11e5-bf8b-08002704d48e", // of EDK II's platforms for ARM
	"8e275844-178f-44a8-aceb-a7d7e5178c63",
	"dc698397-fa54-4cf2-82c8-b1b5307a6a7f",
	"deadbeef-dead-beef-dead-beefdeadbeef",
}

// sharedUUID reports whether a UUID does not identify a machine: all of its bytes are equal, such
// as all zeros or all ones (SMBIOS 3.7 section 7.2.1: not present, not set), it ends in ones, or it
// is one of commonUUIDs. Before SMBIOS 2.6 the byte order of the first three fields was not
// specified, so both are compared.
func sharedUUID(uuid string) bool {
	uuid = strings.ToLower(uuid)
	digits := strings.ReplaceAll(uuid, "-", "")
	if len(digits) != 32 {
		return false
	}
	if strings.Repeat(digits[:2], 16) == digits || strings.HasSuffix(uuid, "-ffff-ffff-ffff-ffffffffffff") {
		return true
	}
	d := digits
	swapped := d[6:8] + d[4:6] + d[2:4] + d[:2] + "-" + d[10:12] + d[8:10] + "-" + d[14:16] + d[12:14] + "-" + d[16:20] + "-" + d[20:]
	return slices.Contains(commonUUIDs[:], uuid) || slices.Contains(commonUUIDs[:], swapped)
}

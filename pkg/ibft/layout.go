package ibft

// The specification counts in little endian and packs its structures.
//
//	struct acpi_table_ibft { struct acpi_table_header header; u8 reserved[12]; };
//	struct acpi_ibft_header { u8 type; u8 version; u16 length; u8 index; u8 flags; };
const (
	tableHeaderLen  = 36 + 12
	structHeaderLen = 6

	lengthAt   = 4
	checksumAt = 9
	oemAt      = 10
	oemLen     = 6
	modelAt    = 16
	modelLen   = 8
)

// enum acpi_ibft_type
const (
	typeControl   = 1
	typeInitiator = 2
	typeNIC       = 3
	typeTarget    = 4
)

// Lengths of the structures with their headers.
const (
	controlLen   = structHeaderLen + 6*2           // five offsets behind that of the extensions
	initiatorLen = structHeaderLen + 4*16 + 2*2    // four servers, the name
	nicLen       = structHeaderLen + 5*16 + 16     // five addresses; prefix, origin, VLAN, MAC, PCI, host name
	targetLen    = structHeaderLen + 16 + 12 + 5*4 // address; port, LUN, CHAP type, NIC; five strings
)

// Limits on what a firmware may write. The longest table seen has 800 bytes.
const (
	maxTable = 64 << 10 // offsets have 16 bits
	maxList  = 32       // NICs, and targets
	// maxStructures are the NICs and targets, and the initiator.
	maxStructures = 2*maxList + 1
	maxName       = 223  // an iSCSI name (RFC 7143 section 4.2.7.1)
	maxString     = 255  // our own: a host name, a user and a secret are shorter
	maxVLAN       = 4094 // IEEE 802.1Q
)

// signatures of a table; the second is Broadcom's for its offload
// (drivers/firmware/iscsi_ibft_find.c: ibft_signs).
func signatures() []string { return []string{"iBFT", "BIFT"} }

package multipath

// ID identifies a LUN: its WWID in the text form of udev's scsi_id and of multipath-tools,
// "3600140...": a digit for the type of the designator, and the designator. Its characters are
// those that device-mapper needs no escapes for.
type ID string

// MaxID is how long an ID may be, in bytes: with "part128-mpath-" in front of it it is a uuid of
// device-mapper (include/uapi/linux/dm-ioctl.h: DM_UUID_LEN counts a NUL).
const MaxID = 128 - len("part128-"+UUIDPrefix)

// Identify returns the ID of a LUN by page 0x83 of its vital product data. Of several designators
// it takes the one that udev's ID_SERIAL is made of: NAA 6, NAA 5, another NAA, EUI-64, T10
// (systemd src/udev/scsi_id/scsi_serial.c: id_search_list). A vendor-specific one, the last in that
// list, is not taken: it means nothing without the vendor and the model.
//
// global reports whether the ID is the only one of its kind in the world, as far as its form tells:
// it has a manufacturer's number. Without ok there is no designator that can be used.
func Identify(page83 []byte) (id ID, global, ok bool) {
	var best Designator
	for _, d := range Designators(page83) {
		if text := d.Text(); text != "" && len(text) <= MaxID && d.rank() > best.rank() {
			best = d
		}
	}
	text := best.Text()
	return ID(text), best.global(), text != ""
}

// Values of the first four bits of an NAA designator (SPC-4 7.8.6.6.1).
const (
	naaExtended        = 2 // IEEE Extended
	naaRegistered      = 5 // IEEE Registered
	naaRegisteredExtra = 6 // IEEE Registered Extended
)

// naa returns the kind of an NAA designator.
func (d Designator) naa() byte { return d.Bytes[0] >> 4 }

// rank is the higher the sooner a designator is taken; 0: never.
func (d Designator) rank() int {
	rank := 0
	switch {
	case d.Type == NAA && d.naa() == naaRegisteredExtra:
		rank = 5
	case d.Type == NAA && d.naa() == naaRegistered:
		rank = 4
	case d.Type == NAA:
		rank = 3
	case d.Type == EUI64:
		rank = 2
	case d.Type == T10:
		rank = 1
	}
	rank *= 2
	if d.ASCII {
		rank-- // of its kind the last
	}
	return rank
}

// global reports whether a designator has the number that IEEE has given to a manufacturer, 24 bits
// (SPC-4 7.8.6.5 and 7.8.6.6).
func (d Designator) global() bool {
	b := d.Bytes
	var company uint32
	switch {
	case d.ASCII:
	case d.Type == NAA && len(b) == 8 && d.naa() == naaExtended:
		company = bits24(b[2:])
	case d.Type == NAA && (len(b) == 8 && d.naa() == naaRegistered || len(b) == 16 && d.naa() == naaRegisteredExtra):
		company = bits24(b)<<4&0xffffff | uint32(b[3]>>4)
	case d.Type == EUI64 && (len(b) == 8 || len(b) == 12):
		company = bits24(b)
	case d.Type == EUI64 && len(b) == 16: // behind an extension of 8 bytes
		company = bits24(b[8:])
	}
	return company != 0
}

func bits24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

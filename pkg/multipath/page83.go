package multipath

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Layout of vital product data page 0x83 and its designation descriptors (SPC-4 section 7.8.6).
const (
	pageCode         = 0x83
	pageHeader       = 4        // peripheral, page code, length (2 bytes)
	maxPage          = 64 << 10 // the length and the header
	descriptorHeader = 4        // code set, type, reserved, length

	codeSetMask     = 0x0f
	associationMask = 0x30 // 0: of the logical unit; others are of ports and targets
	typeMask        = 0x0f
)

// Type is the type of a designator (SPC-4 table 609), and the digit in front of its text.
type Type byte

// The types that identify a LUN by a text of udev's.
const (
	T10   Type = 1 // vendor and a text of the vendor's
	EUI64 Type = 2
	NAA   Type = 3
)

// codeSetASCII is a designator of printable characters; any other is written in hex (SPC-4 table
// 607).
const codeSetASCII = 2

// Designator is a name of a LUN.
type Designator struct {
	Type  Type
	ASCII bool
	Bytes []byte // at least one; they share the page's memory
}

// Designators returns the designators of a LUN in page 0x83, in the order of the page, as sysfs has
// it in vpd_pg83. Those of ports and targets are left out, and what is cut off.
func Designators(page []byte) []Designator {
	if len(page) < pageHeader || len(page) > maxPage+pageHeader || page[1] != pageCode {
		return nil
	}
	end := pageHeader + int(binary.BigEndian.Uint16(page[2:]))
	b := page[pageHeader:min(end, len(page))]
	// A page of SCSI-2 has no descriptors: where they have a reserved byte it has a part of a
	// name (systemd src/udev/scsi_id/scsi_serial.c: do_scsi_page83_inquiry).
	if len(b) >= descriptorHeader && b[2] != 0 {
		return nil
	}
	var out []Designator
	for len(b) >= descriptorHeader {
		n := descriptorHeader + int(b[3])
		if n > len(b) {
			break
		}
		if b[1]&associationMask == 0 && n > descriptorHeader {
			out = append(out, Designator{Type(b[1] & typeMask), b[0]&codeSetMask == codeSetASCII, b[descriptorHeader:n:n]})
		}
		b = b[n:]
	}
	return out
}

// Text returns the designator as udev's ID_SERIAL has it: "3600140...", the type and the bytes in
// hex; of one in ASCII the type and its characters. Empty: the type identifies no LUN, or there are
// only blanks or zeros.
func (d Designator) Text() string {
	var text string
	switch {
	case d.Type < T10 || d.Type > NAA:
		return ""
	case d.ASCII:
		text = plain(d.Bytes)
	case strings.Trim(string(d.Bytes), "\x00") != "":
		text = hex.EncodeToString(d.Bytes)
	}
	if text == "" {
		return ""
	}
	return string('0'+byte(d.Type)) + text
}

// plain writes characters as udev does: they end at a NUL, blanks in succession become one
// underscore, those at the end are removed, and what udev does not allow in names of links becomes
// an underscore (systemd src/shared/udev-util.c: udev_replace_whitespace, udev_replace_chars). So
// device-mapper takes the text as a name without escapes.
func plain(b []byte) string {
	text, _, _ := strings.Cut(string(b), "\x00")
	var out []byte
	blank := false
	for _, c := range []byte(strings.TrimRight(text, blanks)) {
		wasBlank := blank
		blank = strings.IndexByte(blanks, c) >= 0
		switch {
		case blank && wasBlank:
		case allowed(c):
			out = append(out, c)
		default:
			out = append(out, '_')
		}
	}
	return string(out)
}

// blanks are those of C's isspace.
const blanks = " \t\n\v\f\r"

// allowed reports whether udev and device-mapper leave a character as it is.
func allowed(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("#+-.:=@_", c) >= 0
}

package iscsi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Address methods of a LUN's level, its top two bits (SAM-5 4.7.7).
const (
	lunPeripheral = 0x0000 // with bus 0: numbers up to 255
	lunFlat       = 0x4000 // numbers up to 16383
	lunNumberMask = 0x3fff
	maxPeripheral = 0xff
)

// LUN is a logical unit number as SCSI writes it: eight bytes, the first of them in the highest
// bits, in up to four levels of two bytes (SAM-5 4.7).
type LUN uint64

// MakeLUN returns the LUN of a plain number: with peripheral addressing up to 255, with flat space
// addressing up to 16383, which is how targets report theirs (SAM-5 4.7.7.2, 4.7.7.3). A number of
// two bytes above that already has its addressing method in it, as in the number that Linux shows.
func MakeLUN(n uint16) LUN {
	if n > maxPeripheral && n <= lunNumberMask {
		n |= lunFlat
	}
	return LUN(n) << 48
}

// ParseLUN reads a LUN as people write it: a decimal number or hex after 0x up to 65535, see
// MakeLUN; the whole LUN in 16 hex digits after 0x, as udev writes it; or RFC 4173's groups of hex
// digits, of which there must be two at least.
func ParseLUN(s string) (LUN, error) {
	if strings.Contains(s, "-") {
		return ParseHexLUN(s)
	}
	if digits, ok := cutPrefixFold(s, "0x"); ok && len(digits) == 16 {
		n, err := strconv.ParseUint(digits, 16, 64)
		if err != nil {
			return 0, fmt.Errorf("LUN %s: not a number", quote(s))
		}
		return LUN(n), nil
	}
	n, err := parseNumber(s)
	if err != nil {
		return 0, fmt.Errorf("LUN %s: %w", quote(s), err)
	}
	if n > maxUint16 {
		return 0, fmt.Errorf("LUN %s: want a number up to %d, 16 hex digits after 0x, or groups such as 4752-3A4F-6b7e-2F99", quote(s), maxUint16)
	}
	return MakeLUN(uint16(n)), nil
}

// ParseHexLUN reads the LUN of a root path (RFC 4173 section 5): up to four groups of up to four
// hex digits, separated by hyphens. Groups left out at the end are zero, and so is the empty
// string. A single group that is a plain number above 255 gets flat space addressing, see MakeLUN.
func ParseHexLUN(s string) (LUN, error) {
	if s == "" {
		return 0, nil
	}
	groups := strings.Split(s, "-")
	if len(groups) > 4 {
		return 0, fmt.Errorf("LUN %s: %d groups, want 4 at most", quote(s), len(groups))
	}
	var l LUN
	for i, g := range groups {
		n, err := hexGroup(g)
		if err != nil {
			return 0, fmt.Errorf("LUN %s: group %s: %w", quote(s), quote(g), err)
		}
		l |= LUN(n) << (48 - 16*i)
	}
	if len(groups) == 1 {
		return MakeLUN(uint16(l >> 48)), nil
	}
	return l, nil
}

func hexGroup(g string) (uint16, error) {
	n, err := strconv.ParseUint(g, 16, 16)
	if err != nil || len(g) > 4 {
		return 0, errors.New("want 1 to 4 hex digits")
	}
	return uint16(n), nil
}

// Bytes returns the LUN as it stands in a command (SAM-5 4.7).
func (l LUN) Bytes() [8]byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(l))
	return b
}

// Kernel returns the number of the LUN in Linux: the first level in the lowest 16 bits and so on
// (drivers/scsi/scsi_common.c, scsilun_to_int).
func (l LUN) Kernel() uint64 {
	var n uint64
	for i := range 4 {
		n |= uint64(l) >> (48 - 16*i) & maxUint16 << (16 * i)
	}
	return n
}

// KernelNumbers returns the kernel's numbers that a LUN may have. Above 255 a target should use
// flat space addressing, as tgtd does, and LIO writes the plain number nevertheless (int_to_scsilun
// in Linux's drivers/scsi/scsi_common.c).
func (l LUN) KernelNumbers() []uint64 {
	out := []uint64{l.Kernel()}
	if n, ok := l.Number(); ok && uint64(n) != l.Kernel() {
		out = append(out, uint64(n))
	}
	return out
}

// KernelLUN is the reverse of Kernel (int_to_scsilun).
func KernelLUN(n uint64) LUN { return LUN(LUN(n).Kernel()) }

// Number returns the plain number of a LUN with one level and peripheral (bus 0) or flat space
// addressing; ok is false for any other.
func (l LUN) Number() (n uint16, ok bool) {
	first := uint16(l >> 48)
	if l != LUN(first)<<48 {
		return 0, false
	}
	return first & lunNumberMask, first <= maxPeripheral || first&^lunNumberMask == lunFlat
}

// String returns what ParseLUN reads: the plain number of what MakeLUN makes, RFC 4173's four
// groups for any other LUN.
func (l LUN) String() string {
	if n, ok := l.Number(); ok && MakeLUN(n) == l {
		return strconv.Itoa(int(n))
	}
	b := l.Bytes()
	return fmt.Sprintf("%x-%x-%x-%x", b[0:2], b[2:4], b[4:6], b[6:8])
}

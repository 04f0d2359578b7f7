package md

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID is that of an array or of a member, in the order of the bytes of the superblock.
type UUID [16]byte

// ParseUUID reads a UUID as mdadm prints it, as udev and blkid do, or without separators, in any
// case.
func ParseUUID(text string) (UUID, error) {
	var u UUID
	digits := strings.NewReplacer(":", "", "-", "").Replace(text)
	if len(digits) != 2*len(u) {
		return UUID{}, fmt.Errorf("md uuid %q: not 32 hexadecimal digits", clip(text))
	}
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return UUID{}, fmt.Errorf("md uuid %q: not 32 hexadecimal digits", clip(text))
	}
	return u, nil
}

// String returns the UUID as mdadm prints it: "3aaa0122:29827cfa:5331ad66:ca767371".
func (u UUID) String() string {
	return fmt.Sprintf("%x:%x:%x:%x", u[0:4], u[4:8], u[8:12], u[12:16])
}

// clip shortens a text from outside for an error.
func clip(text string) string {
	const most = 64
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

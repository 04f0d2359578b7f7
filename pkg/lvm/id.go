package lvm

import (
	"fmt"
	"strings"
)

// ID is the UUID of a PV, a VG or an LV: 32 characters, without the hyphens (lib/id/id.h: ID_LEN).
// The zero value is none.
type ID string

const idLen = 32

// idCharacters are those of lvm2 (lib/id/id.c: _c).
const idCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#"

// ParseID reads a UUID with hyphens, as the metadata and lvm's commands have it, or without, as a
// label has it.
func ParseID(text string) (ID, error) {
	id := strings.ReplaceAll(text, "-", "")
	foreign := func(c rune) bool { return !strings.ContainsRune(idCharacters, c) }
	if len(id) != idLen || strings.ContainsFunc(id, foreign) {
		return "", fmt.Errorf("id %q: not 32 letters and digits", clip(text))
	}
	return ID(id), nil
}

// String returns the UUID as lvm's commands print it: 6-4-4-4-4-4-6.
func (id ID) String() string {
	if len(id) != idLen {
		return string(id)
	}
	s := string(id)
	return s[:6] + "-" + s[6:10] + "-" + s[10:14] + "-" + s[14:18] + "-" + s[18:22] + "-" + s[22:26] + "-" + s[26:]
}

// clip shortens a text of a stranger for an error.
func clip(text string) string {
	const most = 64
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

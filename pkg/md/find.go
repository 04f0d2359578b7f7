package md

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound is the cause where no array has the name: a member may not be there yet.
var ErrNotFound = errors.New("not found")

// Find returns the array of a UUID, of a name as in the superblock, or of that without its host.
// Two arrays with one name can be told apart by their UUIDs only.
func Find(arrays []Array, nameOrUUID string) (*Array, error) {
	id, err := ParseUUID(nameOrUUID)
	isID := err == nil
	var full, short []*Array
	for i := range arrays {
		a := &arrays[i]
		switch {
		case isID && a.Set == id:
			return a, nil
		case a.Name == nameOrUUID && nameOrUUID != "":
			full = append(full, a)
		case a.ShortName() == nameOrUUID && nameOrUUID != "":
			short = append(short, a)
		}
	}
	out := full
	if len(out) == 0 {
		out = short
	}
	switch len(out) {
	case 0:
		return nil, fmt.Errorf("array %s: %w", clip(nameOrUUID), ErrNotFound)
	case 1:
		return out[0], nil
	}
	return nil, fmt.Errorf("array %s: two have this name, %s on %s and %s on %s: name one by its uuid, or keep it away",
		clip(nameOrUUID), out[0].Set, out[0].places(), out[1].Set, out[1].places())
}

// places lists where the members are.
func (a *Array) places() string {
	var out []string
	for i := range a.Members {
		out = append(out, a.Members[i].Place)
	}
	return strings.Join(out, ", ")
}

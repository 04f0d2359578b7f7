package filesystem

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/reads"
)

// Found is the file system of a device.
type Found struct {
	Types string // to try, with commas if there are several, until it is mounted
	Dirty string // why the superblock is not clean; empty: it is
}

// Probe finds which file system a device holds, read by the file that ctx has for it
// (reads.Opener). given are the types to try, with commas if there are several; "": they are not
// given. One that is given is not checked; of several it is the one that is found, or all where
// none is.
func Probe(ctx context.Context, d *blockdev.Device, given string) (Found, error) {
	fsys, err := blockdev.ProbeDevice(ctx, d.Path())
	if err := checkMember(ctx, d, fsys); err != nil {
		return Found{}, err
	}
	switch {
	case strings.Contains(given, ","):
		return Found{Types: pick(given, fsys, err), Dirty: fsys.Dirty}, nil
	case given != "":
		return Found{Types: given}, nil
	}
	return check(d, fsys, err)
}

// checkMember refuses a member of an array, and a partition that belongs to one: on the disk, which
// is its member, it is one copy of it, and a mount would change that copy alone.
func checkMember(ctx context.Context, d *blockdev.Device, fsys blockdev.Filesystem) error {
	var err error
	switch {
	case strings.HasSuffix(fsys.Type, "_raid_member"):
		err = fsys.Root()
	case d.OnMember(reads.Opener(ctx), "/dev"):
		err = &blockdev.UnsupportedError{Type: blockdev.Member, What: "a partition of an md array, of which " + d.Parents[0].Name + " is a member"}
	default:
		return nil
	}
	return fmt.Errorf("probe %s: %w", d.Path(), err)
}

// check is the result of a probe without a type that is given.
func check(d *blockdev.Device, fsys blockdev.Filesystem, err error) (Found, error) {
	if err == nil {
		if err = fsys.Root(); err != nil {
			err = fmt.Errorf("probe %s: %w", d.Path(), err)
		}
	}
	var several *blockdev.AmbiguousError
	if errors.As(err, &several) {
		err = sequence.WithHint(err, "name it with rootfstype=")
	}
	return Found{Types: fsys.Type, Dirty: fsys.Dirty}, err
}

// pick returns the type of a list that a device holds, or the whole list where none of it was
// found.
func pick(list string, fsys blockdev.Filesystem, err error) string {
	found := []blockdev.Filesystem{fsys}
	var several *blockdev.AmbiguousError
	if errors.As(err, &several) {
		found = several.Found
	}
	for t := range strings.SplitSeq(list, ",") {
		for _, f := range found {
			if f.Type == t {
				return t
			}
		}
	}
	return list
}

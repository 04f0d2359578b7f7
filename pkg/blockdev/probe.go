package blockdev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/fstypes"
)

// ErrNoFilesystem reports that no known superblock was found.
var ErrNoFilesystem = errors.New("no known file system")

// Filesystem describes a superblock, in the terms of blkid(8).
type Filesystem struct {
	// Type is the name to mount it by, or another type of blkid(8): "crypto_LUKS",
	// "LVM2_member", "linux_raid_member", "swap", "jbd".
	Type string
	// UUID in the form that blkid prints, which is not the same for all types; empty if it has
	// none.
	UUID string
	// Label is empty if it has none.
	Label string
	// Dirty describes why the superblock is not clean; empty if it is.
	Dirty string
}

// UnsupportedError reports that a device holds a known type that cannot be root.
type UnsupportedError struct {
	Type string // as in Filesystem
	What string // a description
}

// Error implements error.
func (e *UnsupportedError) Error() string { return "this is " + e.What }

// Root reports whether a file system can be mounted as root. The error is an *UnsupportedError.
func (f Filesystem) Root() error {
	what := map[string]string{
		"crypto_LUKS":       "LUKS, which is not supported",
		"LVM2_member":       "an LVM physical volume, on which root is in a logical volume",
		"linux_raid_member": "a member of an md array, and root may be on the array",
		"isw_raid_member":   "a member of an array of Intel's firmware (IMSM), which is not supported",
		"ddf_raid_member":   "a member of an array of a RAID controller (DDF), which is not supported",
		"swap":              "swap space, not a file system",
		"jbd":               "the journal of an ext file system on another device, which is not supported",
	}[f.Type]
	switch {
	case what == "" && fstypes.Of(f.Type).Root:
		return nil
	case what == "":
		what = f.Type + ", which cannot hold a root"
	}
	return &UnsupportedError{f.Type, what}
}

// AmbiguousError reports that a device has superblocks of several file systems: all but one are
// remains of earlier ones.
type AmbiguousError struct{ Found []Filesystem }

// Error implements error.
func (e *AmbiguousError) Error() string {
	var types []string
	for _, f := range e.Found {
		types = append(types, f.Type)
	}
	return "has the superblocks of several file systems: " + strings.Join(types, ", ")
}

// ProbeDevice is Probe on a device node, which is read as by Open.
func ProbeDevice(ctx context.Context, path string) (Filesystem, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return Filesystem{}, fmt.Errorf("probe %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return Filesystem{}, fmt.Errorf("probe %s: %w", path, err)
	}
	fsys, err := Probe(f, size)
	if err != nil {
		return fsys, fmt.Errorf("probe %s: %w", path, err)
	}
	return fsys, nil
}

// Probe reads the superblocks of a device of size bytes. It returns ErrNoFilesystem if there is no
// known one, an *AmbiguousError where there are several.
func Probe(r io.ReaderAt, size int64) (Filesystem, error) {
	d := openImage(r, size)
	var found []Filesystem
	for _, p := range probers {
		m := d.at(p.offset, int64(len(p.magic)))
		if m == nil || string(m) != p.magic {
			continue
		}
		fsys, ok := p.parse(d)
		if !ok || slices.Contains(found, fsys) {
			continue
		}
		if p.container && d.err == nil {
			return fsys, nil
		}
		found = append(found, fsys)
	}
	switch {
	case d.err != nil:
		return Filesystem{}, d.err
	case len(found) == 0:
		return Filesystem{}, ErrNoFilesystem
	case len(found) > 1:
		return Filesystem{}, &AmbiguousError{found}
	}
	return found[0], nil
}

// prober describes one location of one kind of superblock.
type prober struct {
	offset int64
	magic  string // empty: parse checks the location
	// container holds other file systems, whose superblocks may appear in it: others are
	// ignored then.
	container bool
	parse     func(*image) (Filesystem, bool)
}

// probers are in the order of the search.
var probers = []prober{
	{0, "", true, parseMD},
	{0, "", true, parseFirmwareRAID},
	{0, "LUKS\xba\xbe", true, parseLUKS},
	{0, "", true, parseLVM},

	{extOffset + extMagicAt, "\x53\xef", false, parseExt},
	{0, "XFSB", false, parseXFS},
	{btrfsOffset + 64, "_BHRfS_M", false, parseBtrfs},
	{f2fsOffset, f2fsMagic, false, parseF2FS},
	{f2fsOffset + f2fsBackup, f2fsMagic, false, parseF2FSBackup},
	{erofsOffset, "\xe2\xe1\xf5\xe0", false, parseEROFS},
	{0, "hsqs", false, parseSquashfs},
	{isoOffset + 1, "CD001", false, parseISO},
	{fatMagicAt, "\x55\xaa", false, parseFAT},
	// The magic ends the first page, for any page size of the machine that made it
	// (include/linux/swap.h: union swap_header).
	{4<<10 - swapMagicLen, swapMagic, false, parseSwap},
	{8<<10 - swapMagicLen, swapMagic, false, parseSwap},
	{16<<10 - swapMagicLen, swapMagic, false, parseSwap},
	{64<<10 - swapMagicLen, swapMagic, false, parseSwap},
}

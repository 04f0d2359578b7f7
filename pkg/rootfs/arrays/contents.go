package arrays

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// CopyError reports a file system that is on a disk and in an array: which is meant is not known.
type CopyError struct {
	want        bootspec.Device
	disk, array string
}

// Error implements error.
func (e *CopyError) Error() string {
	return fmt.Sprintf("%s is on %s, and in array %s: name one of them otherwise, or keep it away", e.want, e.disk, e.array)
}

// Copy returns a *CopyError if the file system that a search by UUID has found on a disk is in an
// array too, of which all that was inspected has members. The arrays are not started: the
// superblock of a file system is in the first chunk of the first member, unless that has parity.
func (l *Layer) Copy(all, found []*blockdev.Device, want bootspec.Device) error {
	isMember := func(d *blockdev.Device) bool { return d.Content != nil && d.Content.FS.Type == blockdev.Member }
	onArray := func(d *blockdev.Device) bool { return d.Base() == blockdev.OnArray }
	if want.By != bootspec.ByUUID || !slices.ContainsFunc(all, isMember) || slices.ContainsFunc(found, onArray) {
		return nil
	}
	members := l.members(all)
	arrays, _ := md.Assemble(members)
	for i := range arrays {
		a := &arrays[i]
		for _, m := range a.Members {
			if m.Slot != 0 || m.Partial {
				continue
			}
			if fsys, err := l.content(m.Place, members); err == nil && strings.EqualFold(fsys.UUID, want.Text) {
				return &CopyError{want, found[0].Name, fmt.Sprintf("%s (%s)", title(idOf(a)), places(a))}
			}
		}
	}
	return nil
}

// content reads what begins on a member.
func (l *Layer) content(place string, found []md.Found) (blockdev.Filesystem, error) {
	f, err := l.Open(filepath.Join(l.Dev, place))
	if err != nil {
		return blockdev.Filesystem{}, err
	}
	defer func() { _ = f.Close() }()
	for i := range found {
		if s := &found[i].Superblock; found[i].Place == place {
			size := int64(s.DataSectors) * sectorSize
			return blockdev.Probe(io.NewSectionReader(f, int64(s.DataOffset)*sectorSize, size), size)
		}
	}
	return blockdev.Filesystem{}, blockdev.ErrNoFilesystem
}

// sectorSize is that of the superblocks' units, in bytes.
const sectorSize = 512

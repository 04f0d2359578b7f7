package filesystem

import (
	"errors"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
)

func TestPick(t *testing.T) {
	several := &blockdev.AmbiguousError{Found: []blockdev.Filesystem{{Type: "ext4"}, {Type: "xfs"}}}
	tests := []struct {
		list string
		fsys blockdev.Filesystem
		err  error
		want string
	}{
		{"ext4,xfs", blockdev.Filesystem{Type: "xfs"}, nil, "xfs"},
		{"ext4,xfs", blockdev.Filesystem{Type: "btrfs"}, nil, "ext4,xfs"},
		{"jfs,nilfs2", blockdev.Filesystem{}, blockdev.ErrNoFilesystem, "jfs,nilfs2"},
		{"xfs,ext4", blockdev.Filesystem{}, several, "xfs"},
	}
	for _, tt := range tests {
		if got := pick(tt.list, tt.fsys, tt.err); got != tt.want {
			t.Errorf("%s of %+v, %v: got %s", tt.list, tt.fsys, tt.err, got)
		}
	}
}

// Of several types in rootfstype= the one that a device holds is used, and all are tried where none
// is found. One alone is not checked.
func TestPickOfSeveralTypes(t *testing.T) {
	several := &blockdev.AmbiguousError{Found: []blockdev.Filesystem{{Type: "xfs"}, {Type: "btrfs"}}}
	for _, tt := range []struct {
		list  string
		found string
		err   error
		want  string
	}{
		{"ext4,xfs", "xfs", nil, "xfs"},
		{"ext4,xfs", "ext4", nil, "ext4"},
		{"ext4,xfs", "btrfs", nil, "ext4,xfs"},
		{"ext4,xfs", "", errors.New("nothing"), "ext4,xfs"},
		{"ext4,btrfs,xfs", "", several, "btrfs"},
	} {
		if got := pick(tt.list, blockdev.Filesystem{Type: tt.found}, tt.err); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

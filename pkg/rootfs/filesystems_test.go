package rootfs

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// The file systems that are loaded early: those of rootfstype=, the only one of the image, or ext4.
func TestTypesAhead(t *testing.T) {
	tests := []struct{ modules, aliases, fstype, want string }{
		{"ext4 xfs", "fs-ext2:ext4 fs-ext3:ext4 fs-ext4:ext4 fs-xfs:xfs", "", "ext4"},
		{"ext4", "fs-ext2:ext4 fs-ext3:ext4 fs-ext4:ext4", "", "ext4"},
		{"xfs", "fs-xfs:xfs", "", "xfs"},
		{"xfs btrfs", "fs-xfs:xfs fs-btrfs:btrfs", "", ""},
		{"xfs btrfs", "fs-xfs:xfs fs-btrfs:btrfs", "btrfs,jfs", "btrfs jfs"},
		{"", "", "", ""},
	}
	for _, tt := range tests {
		var dep, alias strings.Builder
		for name := range strings.FieldsSeq(tt.modules) {
			dep.WriteString(name + ".ko:\n")
		}
		for pair := range strings.FieldsSeq(tt.aliases) {
			alias.WriteString("alias " + strings.ReplaceAll(pair, ":", " ") + "\n")
		}
		idx, err := kmod.Read(fstest.MapFS{"modules.dep": {Data: []byte(dep.String())}, "modules.alias": {Data: []byte(alias.String())}})
		if err != nil {
			t.Fatal(err)
		}
		var given bootspec.Value[string]
		if tt.fstype != "" {
			given = bootspec.Value[string]{V: tt.fstype, From: "rootfstype="}
		}
		if got := strings.Join(TypesAhead(given, idx), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.modules, got, tt.want)
		}
	}
}

// proc is registered in every kernel, so no module is loaded: of a list the first type that
// succeeds is used, and an error that is the same for every type ends it.
func TestEachType(t *testing.T) {
	tests := []struct {
		errs []error
		want error
		seen []string
	}{
		{[]error{nil}, nil, []string{"proc"}},
		{[]error{unix.EINVAL, nil}, nil, []string{"proc", "sysfs"}},
		{[]error{unix.ENODEV, unix.EINVAL, unix.EINVAL}, unix.ENODEV, []string{"proc", "sysfs", "tmpfs"}},
		{[]error{unix.EINVAL, unix.EIO}, unix.EIO, []string{"proc", "sysfs"}},
	}
	for _, tt := range tests {
		m, _ := withSessions(0)
		var seen []string
		err := m.eachType(t.Context(), Volume{FSType: "proc,sysfs,tmpfs"}, func(c Volume) error {
			seen = append(seen, c.FSType)
			return tt.errs[len(seen)-1]
		})
		if !errors.Is(err, tt.want) || !slices.Equal(seen, tt.seen) {
			t.Errorf("%v: got %v after %q", tt.errs, err, seen)
		}
	}
}

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

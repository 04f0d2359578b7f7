package rootfs

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/filesystem"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// Errors of mount get a hint that fits the cause, or none.
func TestExplainMount(t *testing.T) {
	ro := switchroot.MountConfig{FSType: "ext4"}
	tests := []struct {
		config switchroot.MountConfig
		cause  error
		want   string
	}{
		{ro, unix.ENODEV, "build it with --fs ext4"},
		{ro, unix.EINVAL, "rootfstype= and rootflags="},
		{ro, unix.EUCLEAN, "fsck"},
		{ro, unix.EIO, "fsck"},
		{ro, unix.EBUSY, ""},
		{switchroot.MountConfig{ReadWrite: true}, unix.EACCES, "write ro instead of rw"},
		{switchroot.MountConfig{Options: "rw"}, unix.EROFS, "write ro instead of rw"},
		{ro, unix.EROFS, "allow writes at the target once"},
		{switchroot.MountConfig{ReadWrite: true, Options: "ro"}, unix.EROFS, "allow writes at the target once"},
	}
	for _, tt := range tests {
		err := explainMount(tt.config, &os.PathError{Op: "mount", Path: "/dev/sda2", Err: tt.cause})
		if !errors.Is(err, tt.cause) {
			t.Errorf("%v became %v", tt.cause, err)
		}
		if got := sequence.Hint(err); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%v: hint is %q, want %q in it", tt.cause, got, tt.want)
		}
	}
	if err := explainMount(ro, nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

// The errors of file systems whose journal has to be replayed on a disk that is read-only.
func TestNeedsReplay(t *testing.T) {
	for _, tt := range []struct {
		fstype string
		err    error
		want   bool
	}{
		{"ext4", unix.EROFS, true},
		{"xfs", unix.EROFS, true},
		{"f2fs", unix.EROFS, true},
		{"ext4", unix.EIO, false},
		{"btrfs", unix.EIO, false}, // of a disk that can be written to
		{"ext4", unix.EACCES, false},
		{"ext4", nil, false},
	} {
		c := Volume{Device: &blockdev.Device{Name: "none"}, FSType: tt.fstype}
		if got := filesystem.NeedsReplay(c.FSType, tt.err, func() bool { return readOnly("/sys", c.Name) }); got != tt.want {
			t.Errorf("%s, %v: %v", tt.fstype, tt.err, got)
		}
	}
}

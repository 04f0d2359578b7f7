package filesystem

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/kmod"
	"github.com/iscsiroot/iscsiroot/pkg/modload"
)

// TestMain runs the tests away from the host.
func TestMain(m *testing.M) { nstest.Main(m) }

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
func TestEach(t *testing.T) {
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
		var seen []string
		err := Each(t.Context(), nil, "proc,sysfs,tmpfs", func(fstype string) error {
			seen = append(seen, fstype)
			return tt.errs[len(seen)-1]
		})
		if !errors.Is(err, tt.want) || !slices.Equal(seen, tt.seen) {
			t.Errorf("%v: got %v after %q", tt.errs, err, seen)
		}
	}
}

// A driver that is not registered is loaded by its alias, or else by its name; what the kernel has
// needs none.
func TestNeed(t *testing.T) {
	nstest.Run(t, unix.CLONE_NEWNS, func() {
		list := filepath.Join(t.TempDir(), "filesystems")
		if err := os.WriteFile(list, []byte("nodev\ttmpfs\n\text4\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(list, "/proc/filesystems", "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		missing := &modload.MissingError{}
		for _, tt := range []struct {
			fstype string
			have   string // what can be loaded
			loads  string
			ok     bool
		}{
			{"ext4", "", "", true},
			{"tmpfs", "", "", true},
			{"xfs", "fs-xfs", "fs-xfs", true},
			{"xfs", "xfs", "fs-xfs xfs", true},
			{"xfs", "", "fs-xfs xfs", false},
			{"text4", "", "fs-text4 text4", false},
			{"nodev", "", "fs-nodev nodev", false},
		} {
			var loads []string
			load := func(_ context.Context, name string) error {
				loads = append(loads, name)
				if name == tt.have {
					return nil
				}
				return missing
			}
			err := need(t.Context(), load, tt.fstype)
			if (err == nil) != tt.ok || strings.Join(loads, " ") != tt.loads || err != nil && (sequence.Hint(err) != "build the image with --fs "+tt.fstype || !errors.As(err, &missing)) {
				t.Errorf("%+v: loaded %q, %v", tt, loads, err)
			}
		}
	})
}

package fstypes

import (
	"slices"
	"testing"
)

// A type is in the list once; the order of the types that root may be on is that in which their
// drivers are looked for.
func TestTypes(t *testing.T) {
	seen := map[string]bool{}
	for _, typ := range types {
		if seen[typ.Name] || Of(typ.Name).Name != typ.Name {
			t.Errorf("%s: twice in the list, or not found", typ.Name)
		}
		seen[typ.Name] = true
	}
	want := []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "erofs", "squashfs", "iso9660"}
	if got := Roots(); !slices.Equal(got, want) {
		t.Errorf("root may be on %v", got)
	}
}

// A type that is not known, and the one that cannot hold a root, are no types of root.
func TestOf(t *testing.T) {
	for name, want := range map[string]bool{"ext4": true, "vfat": false, "jfs": false, "": false} {
		if got := Of(name); got.Root != want || got.Name != name {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// No file system replays a journal while it is looked at, and none gets an option that it does not
// know.
func TestNoReplay(t *testing.T) {
	for name, want := range map[string]string{
		"ext2": "", "ext3": "noload", "ext4": "noload", "xfs": "norecovery", "btrfs": "rescue=nologreplay", "f2fs": "norecovery", "squashfs": "", "erofs": "", "iso9660": "",
	} {
		if got := Of(name).NoReplay; got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

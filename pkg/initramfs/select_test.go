package initramfs

import (
	"errors"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// Each file system brings the modules that it requests but does not list, if the tree has them; the
// default is every file system of the tree.
func TestSelectFileSystems(t *testing.T) {
	idx, err := kmod.Read(fstest.MapFS{
		"modules.dep": {Data: []byte("fs/ext4.ko:\nfs/isofs.ko:\nfs/nls/nls_utf8.ko:\nfs/btrfs.ko:\ncrypto/xxhash_generic.ko:\nfs/xfs.ko:\n")},
		"modules.alias": {Data: []byte("alias fs-ext2 ext4\nalias fs-ext3 ext4\nalias fs-ext4 ext4\nalias fs-iso9660 isofs\nalias fs-btrfs btrfs\n" +
			"alias crypto-xxhash64 xxhash_generic\nalias fs-xfs xfs\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ wanted, want []string }{
		{[]string{"iso9660"}, []string{"isofs", "nls_utf8"}},
		{[]string{"fs-btrfs", "ext3"}, []string{"btrfs", "ext4", "xxhash_generic"}},
		{nil, []string{"btrfs", "ext4", "isofs", "nls_utf8", "xfs", "xxhash_generic"}},
	}
	for _, tt := range tests {
		names, err := selectFileSystems(idx, tt.wanted, nil)
		if err != nil {
			t.Errorf("%q: %v", tt.wanted, err)
			continue
		}
		mods, err := idx.Plan(names...)
		var got []string
		for _, m := range mods {
			got = append(got, m.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%q: got %q, %v, want %q", tt.wanted, got, err, tt.want)
		}
	}
	var missing *kmod.NotFoundError
	if _, err := selectFileSystems(idx, []string{"f2fs"}, nil); !errors.As(err, &missing) {
		t.Errorf("a file system that the tree lacks: %v", err)
	}
}

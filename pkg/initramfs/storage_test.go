package initramfs

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// What root stands on comes into an image for any machine, and where it is requested.
func TestSelectStorage(t *testing.T) {
	idx, err := kmod.Read(fstest.MapFS{"modules.dep": {Data: []byte("md/dm-mod.ko:\nmd/dm-raid.ko: md/dm-mod.ko md/raid456.ko\nmd/raid456.ko: md/md-mod.ko\nmd/raid1.ko: md/md-mod.ko\nmd/md-mod.ko:\n")}})
	if err != nil {
		t.Fatal(err)
	}
	one := []string{"virtio_net"}
	for _, tt := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"any machine", Config{}, []string{"dm_mod", "dm_raid", "md_mod", "raid1", "raid456"}},
		{"one card", Config{NICs: one}, nil},
		{"asked", Config{NICs: one, Storage: []string{"lvm"}}, []string{"dm_mod"}},
		{"asked for less", Config{Storage: []string{"lvm"}}, []string{"dm_mod"}},
		{"raid", Config{Devices: []string{"8086:100e"}, Storage: []string{"lvm-raid"}}, []string{"dm_mod", "dm_raid", "raid1", "raid456"}},
		{"arrays", Config{NICs: one, Storage: []string{"md"}}, []string{"md_mod", "raid1", "raid456"}}, // what the tree has
		{"volumes on arrays", Config{Storage: []string{"lvm", "md"}}, []string{"dm_mod", "md_mod", "raid1", "raid456"}},
		{"default", Config{NICs: one, Default: "root=/dev/vg/root"}, []string{"dm_mod"}},
		{"an array by default", Config{NICs: one, Default: "root=/dev/md/root"}, []string{"md_mod", "raid1", "raid456"}},
		{"policy", Config{NICs: one, Policy: "rd.lvm.vg=vg"}, []string{"dm_mod"}},
		{"command line", Config{NICs: one, UKI: &UKI{CommandLine: "root=/dev/mapper/vg-root"}}, []string{"dm_mod"}},
	} {
		got, err := selectStorage(idx, tt.cfg, nil)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	if _, err := selectStorage(idx, Config{Storage: []string{"zfs"}}, nil); err == nil {
		t.Error("zfs is taken")
	}
}

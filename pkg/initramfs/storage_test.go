package initramfs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/iscsiroot/iscsiroot/pkg/kmod"
)

// What root stands on comes into an image for any machine, and where it is requested.
func TestSelectStorage(t *testing.T) {
	idx, err := kmod.Read(fstest.MapFS{"modules.dep": {Data: []byte("md/dm-mod.ko:\nmd/dm-raid.ko: md/dm-mod.ko md/raid456.ko\nmd/raid456.ko:\nmd/raid1.ko:\n")}})
	if err != nil {
		t.Fatal(err)
	}
	one := []string{"virtio_net"}
	for _, tt := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"any machine", Config{}, []string{"dm_mod", "dm_raid", "raid1", "raid456"}},
		{"one card", Config{NICs: one}, nil},
		{"asked", Config{NICs: one, Storage: []string{"lvm"}}, []string{"dm_mod"}},
		{"asked for less", Config{Storage: []string{"lvm"}}, []string{"dm_mod"}},
		{"raid", Config{Devices: []string{"8086:100e"}, Storage: []string{"lvm-raid"}}, []string{"dm_mod", "dm_raid", "raid1", "raid456"}},
		{"default", Config{NICs: one, Default: "root=/dev/vg/root"}, []string{"dm_mod"}},
		{"policy", Config{NICs: one, Policy: "rd.lvm.vg=vg"}, []string{"dm_mod"}},
		{"command line", Config{NICs: one, UKI: &UKI{CommandLine: "root=/dev/mapper/vg-root"}}, []string{"dm_mod"}},
	} {
		got, err := selectStorage(idx, tt.cfg, nil)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	for _, name := range SupportedStorage() {
		if required, _ := storageModules(name); len(required) == 0 {
			t.Errorf("%s stands for no module", name)
		}
	}
	if _, err := selectStorage(idx, Config{Storage: []string{"zfs"}}, nil); err == nil {
		t.Error("zfs is taken")
	}
	var missing *kmod.NotFoundError
	if _, err := selectStorage(idx, Config{Storage: []string{"lvm-thin"}}, nil); !errors.As(err, &missing) || missing.Name != "dm_thin_pool" {
		t.Errorf("a module that the tree lacks: %v", err)
	}
}

// What a machine's root stands on, through all devices below it.
func TestHostStorage(t *testing.T) {
	dir := t.TempDir()
	block := filepath.Join(dir, "block")
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(block, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("sda/size", "1\n")
	for name, dm := range map[string][2]string{
		"dm-0": {"vg-root_rimage_0\n", "LVM-a\n"}, "dm-1": {"vg-root\n", "LVM-b\n"}, "dm-2": {"luks\n", "CRYPT-LUKS2-c\n"}, "dm-3": {"vg-thin_tdata\n", "LVM-d-tdata\n"},
	} {
		write(name+"/dm/name", dm[0])
		write(name+"/dm/uuid", dm[1])
	}
	below := func(upper, lower string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Join(block, upper, "slaves"), 0o755), os.Symlink("../../"+lower, filepath.Join(block, upper, "slaves", lower))); err != nil {
			t.Fatal(err)
		}
	}
	below("dm-0", "sda")
	below("dm-1", "dm-0")
	below("dm-2", "dm-1")
	below("dm-2", "dm-2") // a loop ends
	below("dm-3", "sda")
	for device, want := range map[string][]string{"sda": nil, "dm-0": {"lvm", "lvm-raid"}, "dm-2": {"lvm", "lvm-raid"}, "dm-3": {"lvm", "lvm-thin"}, "tmpfs": nil} {
		sys := t.TempDir()
		if err := errors.Join(os.MkdirAll(filepath.Join(sys, "dev/block"), 0o755), os.Symlink(filepath.Join(block, device), filepath.Join(sys, "dev/block/8:2")),
			os.MkdirAll(filepath.Join(sys, "self"), 0o755), os.WriteFile(filepath.Join(sys, "self/mountinfo"), []byte("1 0 8:2 / / rw - ext4 /dev/x rw\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		got, err := HostStorage(sys, sys)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", device, got, err, want)
		}
	}
	if _, err := HostStorage(dir, dir); err == nil {
		t.Error("without a table of mounts there is no error")
	}
}

func TestNeedsLVM(t *testing.T) {
	for text, want := range map[string]bool{"root=/dev/sda2": false, "root=/dev/vg/lv": true, "rd.lvm.lv=vg/lv": true, "rd.lvm=0": false} {
		if got := needsLVM(ownPlan(Config{Default: text})); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What a machine's root stands on, through all devices below it.
func TestOfHost(t *testing.T) {
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
		"dm-5": {"3600140515c510070000000000000000\n", "mpath-3600140515c510070000000000000000\n"}, "dm-6": {"3600140515c510070000000000000000-part2\n", "part2-mpath-3600140515c510070000000000000000\n"},
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
	write("md0/md/level", "raid1\n")
	write("md0/md0p1/partition", "1\n")
	write("dm-4/dm/uuid", "LVM-e\n")
	write("md1/md/level", "raid0\n")
	below("md0", "sda")
	below("md1", "dm-1") // an array on a volume
	below("dm-5", "sda")
	below("dm-6", "dm-5") // a partition of a map
	if err := errors.Join(os.Mkdir(filepath.Join(block, "dm-4/slaves"), 0o755), os.Symlink("../../md0/md0p1", filepath.Join(block, "dm-4/slaves/md0p1"))); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string][]string{
		"sda": nil, "dm-0": {"lvm", "lvm-raid"}, "dm-2": {"lvm", "lvm-raid"}, "dm-3": {"lvm", "lvm-thin"}, "tmpfs": nil,
		"md0": {"md"}, "md0/md0p1": {"md"}, "dm-4": {"lvm", "md"}, "md1": {"lvm", "lvm-raid", "md"},
		"dm-6": {"multipath"},
	} {
		sys := t.TempDir()
		if err := errors.Join(os.MkdirAll(filepath.Join(sys, "dev/block"), 0o755), os.Symlink(filepath.Join(block, device), filepath.Join(sys, "dev/block/8:2")),
			os.MkdirAll(filepath.Join(sys, "self"), 0o755), os.WriteFile(filepath.Join(sys, "self/mountinfo"), []byte("1 0 8:2 / / rw - ext4 /dev/x rw\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		got, err := OfHost(sys, sys)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", device, got, err, want)
		}
	}
	if _, err := OfHost(dir, dir); err == nil {
		t.Error("without a table of mounts there is no error")
	}
}

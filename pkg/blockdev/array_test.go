package blockdev

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// An array and its partitions are found by their names; a name that two arrays have is of none.
func TestFindArray(t *testing.T) {
	array := func(name, set string) *Device {
		return &Device{Name: name, Kind: KindMD, Size: 64 << 20, Array: &bootspec.ArrayID{Name: set}}
	}
	root, twin, other := array("md127", "host:root"), array("md126", "a:twin"), array("md0", "b:twin")
	part := &Device{Name: "md127p2", Kind: KindPartition, Parents: []*Device{root}, Partition: &Partition{Number: 2}}
	devices := []*Device{{Name: "sda"}, root, part, twin, other}
	for name, want := range map[string]string{
		"/dev/md/root": "md127", "/dev/md_root": "md127", "/dev/md/root2": "md127p2", "/dev/disk/by-id/md-name-host:root-part2": "md127p2",
		"/dev/md/root3": "", "/dev/md/twin": "", "/dev/md/a:twin": "md126", "/dev/md127": "",
	} {
		d, ok := bootspec.ParseDevice(name)
		if !ok {
			t.Errorf("%s is not a device", name)
		}
		got := ""
		for _, f := range Find(devices, d) {
			got += f.Name
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := root.Describe(); got != "md/root (64 MiB, )" {
		t.Errorf("described as %s", got)
	}
}

// The partitions of a disk belong to the array whose superblock is at the disk's end, and to no
// array whose superblock is at the start.
func TestOnMember(t *testing.T) {
	open := func(path string) (*File, error) { return Open(t.Context(), path) }
	const size = 1 << 20
	for minor, place := range []int64{size/512 - 16, 0, 8} {
		dev := t.TempDir()
		sb := make([]byte, 256)
		binary.LittleEndian.PutUint32(sb, mdMagic)
		binary.LittleEndian.PutUint32(sb[4:], 1)
		binary.LittleEndian.PutUint64(sb[144:], uint64(place))
		b := make([]byte, size)
		copy(b[place*512:], sb)
		if err := os.WriteFile(filepath.Join(dev, "sda"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		disk := &Device{Name: "sda"}
		part := &Device{Name: "sda1", Kind: KindPartition, Parents: []*Device{disk}, Partition: &Partition{Number: 1}}
		if got := part.OnMember(open, dev); got != (minor == 0) || disk.OnMember(open, dev) {
			t.Errorf("1.%d: %v", minor, got)
		}
	}
}

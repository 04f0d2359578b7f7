package blockdev

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
)

// An array is described by its own name.
func TestDescribeArray(t *testing.T) {
	d := &Device{Name: "md127", Kind: KindMD, Size: 64 << 20, Array: &bootspec.ArrayID{Name: "host:root"}}
	if got := d.Describe(); got != "md/root (64 MiB, )" {
		t.Errorf("described as %s", got)
	}
}

// The partitions of a disk belong to the array whose superblock is at the disk's end, and to no
// array whose superblock is at the start, nor to one whose superblock has a wrong checksum.
func TestOnMember(t *testing.T) {
	open := func(path string) (*File, error) { return Open(t.Context(), path) }
	const size = 1 << 20
	for minor, place := range []int64{size/512 - 16, 0, 8} {
		dev := t.TempDir()
		sb := make([]byte, 256)
		binary.LittleEndian.PutUint32(sb, mdMagic)
		binary.LittleEndian.PutUint32(sb[4:], 1)
		binary.LittleEndian.PutUint64(sb[144:], uint64(place))
		sum := mdMagic + 1 + uint32(place) // of the words above
		binary.LittleEndian.PutUint32(sb[216:], sum)
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
		if part.OnDamagedMember(open, dev) {
			t.Errorf("1.%d is damaged", minor)
		}
		b[place*512+216]++
		if err := os.WriteFile(filepath.Join(dev, "sda"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := part.OnDamagedMember(open, dev); got != (minor == 0) || part.OnMember(open, dev) || disk.OnDamagedMember(open, dev) {
			t.Errorf("1.%d with a wrong checksum: %v", minor, got)
		}
	}
}

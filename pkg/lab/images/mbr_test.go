package images

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// decodeMBR reads back what encodeMBR wrote.
func decodeMBR(b [sectorSize]byte) (signature uint32, parts []mbrEntry) {
	for i := range mbrSlots {
		e := b[446+16*i:]
		if e[4] != 0 {
			parts = append(parts, mbrEntry{binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])})
		}
	}
	return binary.LittleEndian.Uint32(b[440:]), parts
}

func FuzzMBR(f *testing.F) {
	f.Add(uint32(DiskSignature), uint32(2048), uint32(16384), uint32(18432), uint32(131072))
	f.Add(uint32(0), uint32(1), uint32(1), uint32(2), uint32(0xfffffffe))
	f.Add(uint32(1), uint32(5), uint32(5), uint32(1), uint32(1))
	f.Fuzz(func(t *testing.T, signature, a, aSize, b, bSize uint32) {
		parts := []mbrEntry{{a, aSize}, {b, bSize}}
		sector, err := encodeMBR(signature, parts)
		if err != nil {
			return
		}
		if a == 0 || uint64(a)+uint64(aSize) > uint64(b) || uint64(b)+uint64(bSize) > 1<<32 {
			t.Fatalf("accepted %v", parts)
		}
		if s, got := decodeMBR(sector); s != signature || !slices.Equal(got, parts) {
			t.Fatalf("%x %v came back as %x %v", signature, parts, s, got)
		}
	})
}

func TestMBRRefuses(t *testing.T) {
	for _, test := range []struct {
		parts []mbrEntry
		want  error
	}{
		{make([]mbrEntry, 5), errMBRCount},
		{[]mbrEntry{{1, 0}}, errMBRRange},
		{[]mbrEntry{{0, 1}}, errMBRRange},
		{[]mbrEntry{{0xffffffff, 2}}, errMBRRange},
		{[]mbrEntry{{10, 10}, {19, 1}}, errMBROverlap},
	} {
		if _, err := encodeMBR(1, test.parts); !errors.Is(err, test.want) {
			t.Errorf("%v: %v, want %v", test.parts, err, test.want)
		}
	}
}

// TestMBRIsRead reads the table with another program: blkid of util-linux, which every Debian has.
func TestMBRIsRead(t *testing.T) {
	d, err := WriteDisk(filepath.Join(t.TempDir(), "disk"), Filesystem{MiB: 2}, Filesystem{MiB: 3})
	if err != nil {
		t.Fatal(err)
	}
	tool, err := lookTool("blkid")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "-p", "-o", "export", d.Path)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PTUUID=15c51007") || !strings.Contains(string(out), "PTTYPE=dos") {
		t.Errorf("blkid: %v: %s", err, out)
	}
}

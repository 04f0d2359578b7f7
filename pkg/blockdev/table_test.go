package blockdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
)

const sector = 512

// What partx 2.38.1 prints of the same images, see testdata/README; of an extended partition the
// kernel shows only the start.
func TestReadTableReal(t *testing.T) {
	const id = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee"
	tests := map[string][]Partition{
		"gpt": {
			{1, 2048 * sector, 2048 * sector, id + "01", "boot"},
			{4, 8192 * sector, 4096 * sector, id + "04", "root of läden & more 36 characters"},
		},
		"gpt4k": {{1, 2048 * sector, 4096 * sector, id + "11", "four k"}},
		"mbr": {
			{1, 2048 * sector, 2048 * sector, "15c51007-01", ""},
			{2, 4096 * sector, 2 * sector, "15c51007-02", ""},
			{4, 30000 * sector, 2000 * sector, "15c51007-04", ""},
			{5, 6144 * sector, 2048 * sector, "15c51007-05", ""},
			{6, 10240 * sector, 4096 * sector, "15c51007-06", ""},
		},
	}
	for name, want := range tests {
		size := int64(sector)
		if name == "gpt4k" {
			size = 4096
		}
		got, err := ReadTable(readSparse(t, name), size)
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestReadTableNone(t *testing.T) {
	for name, change := range map[string]func(*sparse){
		"wrong magic":      func(s *sparse) { s.put(510, []byte{0}) },
		"empty":            func(s *sparse) { s.size = 0 },
		"no header":        func(s *sparse) { s.put(sector, []byte{0}) },
		"cut header":       func(s *sparse) { s.size = sector + 100 },
		"header checksum":  func(s *sparse) { s.put(sector+gptCRCAt, []byte{0, 0, 0, 0}) },
		"entries checksum": func(s *sparse) { s.put(2*sector+gptNameAt, []byte{'B'}) },
		"cut entries":      func(s *sparse) { s.size = 4 * sector },
		"entry size":       func(s *sparse) { s.put(sector+gptEntryLenAt, []byte{0, 1}); sealHeader(s) },
		"too many":         func(s *sparse) { s.put(sector+gptCountAt, []byte{0, 0, 1}); sealHeader(s) },
		"far entries":      func(s *sparse) { s.put(sector+gptEntriesAt+7, []byte{0x7f}); sealHeader(s) },
	} {
		img := readSparse(t, "gpt")
		change(img)
		if got, err := ReadTable(img, sector); !errors.Is(err, ErrNoTable) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for _, size := range []int64{0, 511, 513, 8192} {
		if _, err := ReadTable(readSparse(t, "gpt"), size); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("sectors of %d: %v", size, err)
		}
	}
	for _, name := range []string{"fat16", "xfs", "ext4"} {
		if got, err := ReadTable(readSparse(t, name), sector); !errors.Is(err, ErrNoTable) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// sealHeader makes the header's checksum right again.
func sealHeader(s *sparse) {
	h := make([]byte, sector)
	_, _ = s.ReadAt(h, sector)
	s.put(sector, seal(h))
}

func seal(h []byte) []byte {
	clear(h[gptCRCAt : gptCRCAt+4])
	size := min(binary.LittleEndian.Uint32(h[gptSizeAt:]), sector)
	binary.LittleEndian.PutUint32(h[gptCRCAt:], crc32.ChecksumIEEE(h[:size]))
	return h
}

// Invalid entries are ignored, as by the kernel.
func TestReadTableOddEntries(t *testing.T) {
	entries := make([]byte, 3*gptEntryLen)
	for i, e := range []struct{ first, last uint64 }{{9, 8}, {1, 1 << 60}, {100, 100}} {
		b := entries[i*gptEntryLen:]
		b[0] = 1
		binary.LittleEndian.PutUint64(b[gptFirstAt:], e.first)
		binary.LittleEndian.PutUint64(b[gptLastAt:], e.last)
	}
	got := gptPartitions(entries, sector)
	if !slices.Equal(got, []Partition{{3, 100 * sector, sector, "", ""}}) {
		t.Errorf("got %+v", got)
	}
}

// mbrWith is a record with entries of kind, start and size.
func mbrWith(entries ...[3]uint32) []byte {
	b := make([]byte, mbrLen)
	for i, e := range entries {
		at := b[mbrEntriesAt+i*mbrEntryLen:]
		at[4] = byte(e[0])
		binary.LittleEndian.PutUint32(at[8:], e[1])
		binary.LittleEndian.PutUint32(at[12:], e[2])
	}
	b[mbrMagicAt], b[mbrMagicAt+1] = 0x55, 0xaa
	return b
}

// A chain of extended records ends that leads back, has no partitions, or leads beyond the disk.
func TestReadTableChains(t *testing.T) {
	tests := map[string]struct {
		records map[int64][]byte // by sector
		want    int              // logical partitions
	}{
		"to itself":   {map[int64][]byte{100: mbrWith([3]uint32{0x83, 1, 1}, [3]uint32{5, 0, 9})}, 1},
		"in a circle": {map[int64][]byte{100: mbrWith([3]uint32{0x83, 1, 1}, [3]uint32{5, 10, 9}), 110: mbrWith([3]uint32{0x83, 1, 1}, [3]uint32{5, 0, 9})}, 2},
		"to nowhere":  {map[int64][]byte{100: mbrWith([3]uint32{0x83, 1, 1}, [3]uint32{5, 50000, 9})}, 1},
		"no magic":    {map[int64][]byte{100: make([]byte, 512)}, 0},
		"rubbish":     {map[int64][]byte{100: mbrWith([3]uint32{0x83, 1, 1}, [3]uint32{}, [3]uint32{0x83, 2, 1}, [3]uint32{0x0f, 7, 1})}, 1},
	}
	for name, tt := range tests {
		img := &sparse{size: 20000 * sector, pieces: map[int64][]byte{}}
		img.put(0, mbrWith([3]uint32{5, 100, 10000}))
		for at, b := range tt.records {
			img.put(at*sector, b)
		}
		got, err := ReadTable(img, sector)
		if len(got) != 1+tt.want || err != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	// As many as the kernel makes, and no end of records without any.
	endless := &sparse{size: 1 << 40, pieces: map[int64][]byte{}}
	endless.put(0, mbrWith([3]uint32{5, 100, 10000}))
	empty := &sparse{size: 1 << 40, pieces: map[int64][]byte{}}
	empty.put(0, mbrWith([3]uint32{5, 100, 10000}))
	for i := range uint32(400) {
		endless.put(int64(100+10*i)*sector, mbrWith([3]uint32{0x83, 1, 1}, [3]uint32{5, 10 * (i + 1), 9}))
		empty.put(int64(100+10*i)*sector, mbrWith([3]uint32{5, 10 * (i + 1), 9}))
	}
	empty.put((100+10*399)*sector, mbrWith([3]uint32{0x83, 1, 1}))
	if got, err := ReadTable(endless, sector); len(got) != 1+maxPartitions-firstLogical || err != nil {
		t.Errorf("endless: %d, %v", len(got), err)
	}
	if got, err := ReadTable(empty, sector); len(got) != 1 || err != nil {
		t.Errorf("empty records: %d, %v", len(got), err)
	}
}

// An error of the device is not a missing table.
func TestReadTableError(t *testing.T) {
	for name, offs := range map[string][]int64{"gpt": {0, sector, 2 * sector}, "mbr": {0, 4096 * sector}} {
		for _, from := range offs {
			if _, err := ReadTable(broken{readSparse(t, name), from}, sector); !errors.Is(err, errMedium) {
				t.Errorf("%s from %d: %v", name, from, err)
			}
		}
	}
}

// cycle repeats its sectors without end, so that every link has a target.
type cycle []byte

func (c cycle) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || len(p) > gptMaxEntries*gptEntryLen {
		return 0, errMedium
	}
	for n := 0; n < len(p); {
		n += copy(p[n:], c[(off+int64(n))%int64(len(c)):])
	}
	return len(p), nil
}

func FuzzReadTable(f *testing.F) {
	gpt, mbr := make([]byte, 34*sector), make([]byte, 3*sector)
	_, _ = readSparse(f, "gpt").ReadAt(gpt, 0)
	for i := range int64(3) {
		_, _ = readSparse(f, "mbr").ReadAt(mbr[i*sector:(i+1)*sector], 4096*i*sector) // 4096 % 3 == 1
	}
	f.Add(gpt)
	f.Add(mbr)
	f.Fuzz(func(t *testing.T, b []byte) {
		if b = b[:len(b)/sector*sector]; len(b) == 0 || len(b) > 64*sector {
			return
		}
		checkTable(t, cycle(b))
		if len(b) > 2*sector { // past the checksums
			c := bytes.Clone(b)
			count := int64(min(binary.LittleEndian.Uint32(c[sector+gptCountAt:]), gptMaxEntries))
			at := int64(binary.LittleEndian.Uint64(c[sector+gptEntriesAt:]) & 0xffff)
			entries := make([]byte, count*gptEntryLen)
			_, _ = cycle(c).ReadAt(entries, at*sector)
			binary.LittleEndian.PutUint32(c[sector+gptEntryCRCAt:], crc32.ChecksumIEEE(entries))
			seal(c[sector : 2*sector])
			checkTable(t, cycle(c))
		}
	})
}

func checkTable(t *testing.T, r io.ReaderAt) {
	parts, err := ReadTable(r, sector)
	if err != nil && len(parts) > 0 {
		t.Errorf("partitions and %v", err)
	}
	seen := map[int]bool{}
	for _, p := range parts {
		if p.Number < 1 || p.Number >= maxPartitions || seen[p.Number] || p.Start < 0 || p.Size <= 0 {
			t.Errorf("accepted %+v", p)
		}
		seen[p.Number] = true
	}
}

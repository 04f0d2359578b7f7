package md_test

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iscsiroot/iscsiroot/pkg/md"
)

// whole is a superblock in which no field has the value of another one.
func whole(minor int) md.Superblock {
	return md.Superblock{
		Minor: minor, Set: md.UUID{1, 2, 3, 15: 16}, Name: "host:root", Created: 1<<39 + 5, Level: md.RAID10, Layout: 0x201,
		Sectors: 1000, ChunkSectors: 128, Disks: 5, Delta: 2, Events: 1 << 40, Clean: true,
		Features: md.FeatureBitmap | md.FeatureReshape | md.FeatureNewOffset, Roles: []uint16{2, 1, md.RoleSpare, md.RoleFaulty, 0, 3, 4},
		Device: md.UUID{7, 8, 15: 9}, Number: 4, DataOffset: 2048, DataSectors: 1001,
	}
}

func TestRead(t *testing.T) {
	for minor := range 3 {
		want := whole(minor)
		got, err := md.Read(device(deviceSize, want), deviceSize)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// A resync that is under way is not clean; what belongs to a reshape counts while there is one; and
// the size that raid0 does not use is not compared.
func TestReadState(t *testing.T) {
	s := whole(2)
	s.Level, s.Sectors, s.Features = md.RAID0, 5000, 0
	d := device(deviceSize, s)
	b := d.parts[4096]
	binary.LittleEndian.PutUint64(b[208:], 64)
	mend(b)
	s.Clean, s.Delta = false, 0
	got, err := md.Read(d, deviceSize)
	if diff := cmp.Diff(s, got); diff != "" || err != nil {
		t.Errorf("%v -want +got:\n%s", err, diff)
	}
}

// The places are those of a device of this size; one that was made larger has no superblock at its
// end.
func TestReadNone(t *testing.T) {
	grown := device(deviceSize, whole(0))
	grown.size *= 2
	for name, d := range map[string]sparse{
		"zeros": {size: deviceSize}, "tiny": {size: 24*512 - 1, parts: map[int64][]byte{0: encode(whole(1), deviceSize)}}, "empty": {}, "grown": grown,
	} {
		if s, err := md.Read(d, d.size); !errors.Is(err, md.ErrNone) {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}

func TestReadDamaged(t *testing.T) {
	const size = deviceSize
	le := binary.LittleEndian
	for want, change := range map[string]func(s *md.Superblock, b []byte){
		"wrong checksum":                  func(_ *md.Superblock, b []byte) { b[60]++; mend(b); b[61]++ },
		"1921 roles, more than 1920":      func(_ *md.Superblock, b []byte) { le.PutUint32(b[220:], 1921); mend(b) },
		"0 slots, 2 more to come":         func(s *md.Superblock, _ []byte) { s.Disks = 0 },
		"1921 slots, 2 more to come":      func(s *md.Superblock, _ []byte) { s.Disks = 1921 },
		"5 slots, -1921 more to come":     func(s *md.Superblock, _ []byte) { s.Delta = -1921 },
		"9 sectors of data":               func(s *md.Superblock, _ []byte) { s.Level, s.Sectors, s.DataSectors = md.Linear, 0, 9 },
		"data at sector 8, in the supe":   func(s *md.Superblock, _ []byte) { s.DataOffset = 8 },
		"1001 sectors of data, less than": func(s *md.Superblock, _ []byte) { s.Sectors = 1002 },
		"1001 sectors of data at sector 131073, on a device that has 131072: is it whole?": func(s *md.Superblock, _ []byte) { s.DataOffset = size/512 + 1 },
		"18446744073709551615 sectors of data at sector 2048, on a device that has 131072": func(s *md.Superblock, _ []byte) { s.DataSectors = 1<<64 - 1 },
		"chunks of 127 sectors":               func(s *md.Superblock, _ []byte) { s.ChunkSectors = 127 },
		"chunks of 4 sectors":                 func(s *md.Superblock, _ []byte) { s.Level, s.ChunkSectors = md.RAID5, 4 },
		"chunks of 0 sectors":                 func(s *md.Superblock, _ []byte) { s.Level, s.ChunkSectors = md.RAID0, 0 },
		"raid10 of layout 0x302 with 5 slots": func(s *md.Superblock, _ []byte) { s.Layout = 0x302 },
		"raid10 of layout 0x2 with 5 slots":   func(s *md.Superblock, _ []byte) { s.Layout = 2 },
		"raid6 of 3 slots":                    func(s *md.Superblock, _ []byte) { s.Level, s.Disks = md.RAID6, 3 },
		"raid4 of 1 slots":                    func(s *md.Superblock, _ []byte) { s.Level, s.Disks = md.RAID4, 1 },
	} {
		s := whole(2)
		change(&s, make([]byte, 4096))
		d := device(size, s)
		change(&s, d.parts[4096])
		if _, err := md.Read(d, size); err == nil || !strings.HasPrefix(err.Error(), "md superblock 1.2: "+want) || errors.Is(err, md.ErrNone) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// At the end of a device there are the superblock, and the data before it.
func TestReadEnd(t *testing.T) {
	s := whole(0)
	s.DataOffset, s.DataSectors = 0, deviceSize/512-16
	if _, err := md.Read(device(deviceSize, s), deviceSize); err != nil {
		t.Error(err)
	}
	s.DataSectors++
	if _, err := md.Read(device(deviceSize, s), deviceSize); err == nil || !strings.Contains(err.Error(), "on a device that has 131056") {
		t.Error(err)
	}
}

// A partition that ends where its disk ends has the superblock at the same bytes.
func TestReadLastPartition(t *testing.T) {
	const start = 1 << 20
	s := whole(0)
	part := device(deviceSize-start, s)
	disk := part.partition(-start)
	if _, err := md.Read(part, part.size); err != nil {
		t.Error(err)
	}
	if _, err := md.Read(disk, disk.size); !errors.Is(err, md.ErrNone) {
		t.Error(err)
	}
	disk = device(deviceSize, s)
	if _, err := md.Read(disk.partition(start), deviceSize-start); !errors.Is(err, md.ErrNone) {
		t.Error(err)
	}
}

// Of two superblocks the newer one counts, unless the older one is that of an array which has the
// newer one in it.
func TestReadTwo(t *testing.T) {
	end, start := whole(0), whole(2)
	end.DataOffset, end.DataSectors = 0, deviceSize/512-16
	inside := end.DataSectors - start.DataOffset
	for _, c := range []struct {
		newer       int
		dataSectors uint64
		want        int
	}{
		{newer: 2, dataSectors: inside, want: 0},
		{newer: 2, dataSectors: inside + 1, want: 2},
		{newer: 0, dataSectors: inside, want: 0},
		{newer: 0, dataSectors: inside + 1, want: 0},
	} {
		start.Created, start.DataSectors = end.Created-1, c.dataSectors
		if c.newer == 2 {
			start.Created = end.Created + 1
		}
		got, err := md.Read(device(deviceSize, end, start), deviceSize)
		if err != nil || got.Minor != c.want {
			t.Errorf("%+v: 1.%d %v", c, got.Minor, err)
		}
	}
	// A damaged one does not count.
	d := device(deviceSize, end, start)
	d.parts[4096][40]++
	if got, err := md.Read(d, deviceSize); err != nil || got.Minor != 0 {
		t.Error(got, err)
	}
}

func TestReadUnsupported(t *testing.T) {
	for want, change := range map[string]func(s *md.Superblock){
		"array host:root: not supported: level -4":                                                   func(s *md.Superblock) { s.Level = -4 },
		"array host:root: not supported: feature bits 0x2000, which are not known":                   func(s *md.Superblock) { s.Features |= 1 << 13 },
		"array host:root: not supported: it is clustered, which needs dlm and corosync":              func(s *md.Superblock) { s.Features |= md.FeatureClustered },
		"array host:root: not supported: it has a write journal: remove it with mdadm":               func(s *md.Superblock) { s.Features |= md.FeatureJournal },
		"array host:root: not supported: it is being reshaped with a backup: finish":                 func(s *md.Superblock) { s.Features &^= md.FeatureNewOffset },
		"array 01020300:00000000:00000000:00000010: not supported: it is being reshaped with a back": func(s *md.Superblock) { s.Features &^= md.FeatureNewOffset; s.Name = "" },
	} {
		s := whole(1)
		s.DataSectors = 1 // nothing else of it counts
		change(&s)
		got, err := md.Read(device(deviceSize, s), deviceSize)
		var unsupported *md.UnsupportedError
		if !errors.As(err, &unsupported) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// Version 0.90 is in the byte order of the machine that made it.
func TestReadBigEndian090(t *testing.T) {
	b := []byte{0xa9, 0x2b, 0x4e, 0xfc, 0, 0, 0, 0, 0, 0, 0, 90}
	d := sparse{size: deviceSize + 512, parts: map[int64][]byte{deviceSize - 64<<10: b}}
	if _, err := md.Read(d, d.size); err == nil || !strings.Contains(err.Error(), "superblock 0.90") {
		t.Error(err)
	}
}

// failing is a device of which one sector cannot be read.
type failing struct {
	sparse
	bad int64
}

var errSector = errors.New("bad sector")

func (f failing) ReadAt(b []byte, at int64) (int, error) {
	if at <= f.bad && f.bad < at+int64(len(b)) {
		return 0, errSector
	}
	return f.sparse.ReadAt(b, at)
}

// What cannot be read is not "none".
func TestReadFails(t *testing.T) {
	for _, bad := range []int64{0, 4096, deviceSize - 8192, deviceSize - 64<<10, deviceSize - 1024, deviceSize - 512} {
		if _, err := md.Read(failing{sparse{size: deviceSize}, bad}, deviceSize); !errors.Is(err, errSector) {
			t.Error(bad, err)
		}
	}
	if _, err := md.Read(sparse{size: 8192}, deviceSize); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

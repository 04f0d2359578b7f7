package lvm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

func testPV() lvm.PV {
	return lvm.PV{ID: "abcdefghijklmnopqrstuvwxyzABCDEF", Size: 1 << 30, Used: true}
}

func read(t *testing.T, b []byte) (lvm.PV, error) {
	t.Helper()
	return lvm.ReadPV(bytes.NewReader(b), int64(len(b)))
}

func TestReadPVReal(t *testing.T) {
	for _, name := range []string{"linear", "areas", "orphan", "wrapped"} {
		for _, f := range found(t, name) {
			copies := map[string]int{"areas 254:0": 2, "areas 254:16": 0, "areas 254:32": 0, "orphan 254:0": 0}
			want, ok := copies[name+" "+f.Place]
			if !ok {
				want = 1
			}
			if len(f.PV.Copies) != want || len(f.PV.Damaged) > 0 || f.PV.Size != diskSize || f.PV.Used != (name != "orphan") {
				t.Errorf("%s, disk %s: %d copies, want %d: %+v", name, f.Place, len(f.PV.Copies), want, f.PV)
			}
		}
	}
}

// The metadata of the case end in the ring's start.
func TestReadPVWrapped(t *testing.T) {
	disk := disks(t, "wrapped")["254:0"]
	h := make([]byte, 512)
	if _, err := disk.ReadAt(h, 4096); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if le.Uint64(h[40:])+le.Uint64(h[48:]) <= le.Uint64(h[32:]) {
		t.Fatal("the testdata do not wrap: make them again with scripts/lvm-testdata")
	}
	pv, err := lvm.ReadPV(disk, diskSize)
	if err != nil || len(pv.Copies) != 1 || len(pv.Copies[0].VG.LVs) != 12 {
		t.Fatal(pv, err)
	}
}

func TestNoLabel(t *testing.T) {
	other := encode(testPV())
	copy(other[512+24:], "LVM1 001")
	for name, b := range map[string][]byte{"empty": nil, "short": make([]byte, 700), "zeros": make([]byte, 8192), "another type": other} {
		if _, err := read(t, b); !errors.Is(err, lvm.ErrNoLabel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A label may be in any of the first four sectors, and says in which.
func TestLabelSector(t *testing.T) {
	for sector := range 5 {
		b := make([]byte, 8192)
		s := b[sector*512 : sector*512+512]
		copy(s, encode(testPV())[512:1024])
		binary.LittleEndian.PutUint64(s[8:], uint64(sector))
		pv, err := read(t, b)
		if ok := sector < 4; ok != (err == nil) || ok && pv.ID != testPV().ID {
			t.Errorf("sector %d: %+v %v", sector, pv, err)
		}
	}
}

func TestDamagedLabel(t *testing.T) {
	put := func(at int, n uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[512+at:], n) }
	}
	for want, change := range map[string]func([]byte){
		"lvm label at byte 512: wrong checksum":                               func(b []byte) { b[512+100]++ },
		"lvm label at byte 512: belongs to sector 2":                          put(8, 2),
		"lvm label at byte 512: header at 488, outside of the sector":         func(b []byte) { sum(b, func(s []byte) { s[20] = 0xe8; s[21] = 1 }) },
		"lvm label at byte 512: header at 8, outside of the sector":           func(b []byte) { sum(b, func(s []byte) { s[20] = 8 }) },
		"lvm label at byte 512: data areas: the list has no end in the secto": func(b []byte) { sum(b, func(s []byte) { fill(s[72:]) }) },
		"lvm label at byte 512: metadata areas: the list has no end in the s": func(b []byte) { sum(b, func(s []byte) { fill(s[104:]) }) },
		"lvm label at byte 512: id \"\\xff":                                   func(b []byte) { sum(b, func(s []byte) { fill(s[32:64]) }) },
	} {
		b := encode(testPV())
		change(b)
		if _, err := read(t, b); err == nil || !strings.HasPrefix(err.Error(), want) || errors.Is(err, lvm.ErrNoLabel) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// sum changes the label and makes its checksum right.
func sum(b []byte, change func([]byte)) {
	change(b[512:1024])
	binary.LittleEndian.PutUint32(b[512+16:], crc(b[512+20:1024]))
}

func fill(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}

// A damaged area is named, and the other one is read.
func TestDamagedArea(t *testing.T) {
	text := string(bytes.TrimRight(textOf(t, "linear", "254-0"), "\x00"))
	for want, change := range map[string]func(h []byte){
		"no header":                      func(h []byte) { h[5]++ },
		"header with a wrong checksum":   func(h []byte) { h[400]++ },
		"header of version 2, not 1":     func(h []byte) { h[20] = 2 },
		"header belongs to byte 4097":    func(h []byte) { h[24]++ },
		"header with a length of 512 by": func(h []byte) { binary.LittleEndian.PutUint64(h[32:], 512) },
		"1048576 bytes, beyond the devi": func(h []byte) { binary.LittleEndian.PutUint64(h[32:], 1<<20) },
		"text of 65536 bytes at":         func(h []byte) { binary.LittleEndian.PutUint64(h[48:], 65536) },
		"text of 0 bytes at":             func(h []byte) { binary.LittleEndian.PutUint64(h[48:], 0) },
		"text with a wrong checksum":     func(h []byte) { h[56]++ },
	} {
		b := encode(testPV(), text, text)
		h := b[areaStart : areaStart+512]
		change(h)
		if !strings.HasPrefix(want, "header with a wrong") {
			binary.LittleEndian.PutUint32(h, crc(h[4:]))
		}
		pv, err := read(t, b)
		if err != nil || len(pv.Copies) != 1 || pv.Copies[0].At != areaStart+areaLen || len(pv.Damaged) != 1 ||
			!strings.HasPrefix(pv.Damaged[0].Error(), "metadata area at byte 4096: "+want) {
			t.Errorf("%v %v, want %s", pv.Damaged, err, want)
		}
	}
}

// The label names an area beyond the device, as on a disk that was made smaller.
func TestShortDevice(t *testing.T) {
	b := encode(testPV(), "", "")
	pv, err := lvm.ReadPV(bytes.NewReader(b), areaStart+areaLen)
	if err != nil || len(pv.Damaged) != 1 || !strings.Contains(pv.Damaged[0].Error(), "beyond the device of 69632 bytes") {
		t.Error(pv, err)
	}
	if _, err := lvm.ReadPV(bytes.NewReader(b[:1000]), int64(len(b))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// huge claims an area with a text of so many bytes, and fails the test if it is read.
type huge struct {
	*bytes.Reader
	most int
	t    *testing.T
}

func (h huge) ReadAt(b []byte, at int64) (int, error) {
	if len(b) > h.most {
		h.t.Errorf("%d bytes are read at once", len(b))
	}
	return h.Reader.ReadAt(b, at)
}

func TestHugeText(t *testing.T) {
	b := encode(testPV(), "x")
	h := b[areaStart : areaStart+512]
	le := binary.LittleEndian
	le.PutUint64(h[32:], 1<<40)
	le.PutUint64(h[48:], 17<<20)
	le.PutUint32(h, crc(h[4:]))
	pv, err := lvm.ReadPV(huge{bytes.NewReader(b), 4096, t}, 1<<41)
	if err != nil || len(pv.Damaged) != 1 || !strings.Contains(pv.Damaged[0].Error(), "text of 17825792 bytes, more than 16777216") {
		t.Error(pv.Damaged, err)
	}
}

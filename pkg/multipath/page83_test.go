package multipath

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// page makes page 0x83 of descriptors.
func page(descriptors ...[]byte) []byte {
	b := []byte{0, 0x83, 0, 0}
	for _, d := range descriptors {
		b = append(b, d...)
	}
	b[2], b[3] = byte((len(b)-4)>>8), byte(len(b)-4)
	return b
}

// descriptor makes one of a LUN; of a T10 vendor ID it is in ASCII, code set 2.
func descriptor(kind Type, id string) []byte {
	codeSet := byte(1)
	if kind == T10 {
		codeSet = 2
	}
	return append([]byte{codeSet, byte(kind), 0, byte(len(id))}, id...)
}

const (
	naa2 = "\x20\x02\x00\x14\x05\x00\x00\x07" // 0x001405 is of LIO
	naa3 = "\x30\x00\x00\x01\x00\x00\x00\x01"
	naa5 = "\x50\x01\x40\x52\x03\x04\x05\x06"
	naa6 = "\x60\x01\x40\x5f\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
	eui  = "\x00\x14\x05\x01\x02\x03\x04\x05"
)

var identified = []struct {
	name   string
	page   []byte
	id     ID
	global bool
}{
	{"NAA 6", page(descriptor(NAA, naa6)), "36001405f000102030405060708090a0b", true},
	{"NAA 5", page(descriptor(NAA, naa5)), "35001405203040506", true},
	{"NAA 2", page(descriptor(NAA, naa2)), "32002001405000007", true},
	{"NAA 3", page(descriptor(NAA, naa3)), "33000000100000001", false},
	{"NAA 6 without a manufacturer", page(descriptor(NAA, "\x60\x00\x00\x0f"+naa6[4:])), "36000000f000102030405060708090a0b", false},
	{"NAA 5 without a manufacturer", page(descriptor(NAA, "\x50\x00\x00\x02"+naa5[4:])), "35000000203040506", false},
	{"NAA 2 without a manufacturer", page(descriptor(NAA, "\x2f\xff\x00\x00\x00\x01\x02\x03")), "32fff000000010203", false},
	{"NAA 6 too short", page(descriptor(NAA, naa6[:8])), "36001405f00010203", false},
	{"NAA 5 too long", page(descriptor(NAA, naa5+"\x00")), "3500140520304050600", false},
	{"EUI-64", page(descriptor(EUI64, eui)), "20014050102030405", true},
	{"EUI-64 of 12 bytes", page(descriptor(EUI64, eui+"abcd")), "2001405010203040561626364", true},
	{"EUI-64 of 16 bytes", page(descriptor(EUI64, "extended"+eui)), "2657874656e6465640014050102030405", true},
	{"EUI-64 of 16 bytes without a manufacturer", page(descriptor(EUI64, "extended\x00\x00\x00"+eui[3:])), "2657874656e6465640000000102030405", false},
	{"T10", page(descriptor(T10, "LIO-ORG disk 0:5d2b7c3e\x00")), "1LIO-ORG_disk_0:5d2b7c3e", false},
	{"T10 with blanks", page(descriptor(T10, "  IET     0001\t0001  \x00\x00")), "1_IET_0001_0001", false},
	{"T10 with odd characters", page(descriptor(T10, "a/b\x1b\xff#+-.:=@_z\\'")), "1a_b__#+-.:=@_z__", false},
	{"T10 in binary", page([]byte{1, 1, 0, 2, 'I', 'E'}), "14945", false},
	{"NAA in ASCII", page([]byte{2, 3, 0, 3, '6', '0', '0'}), "3600", false},
	{"NAA in ASCII, as long as a binary one", page([]byte{2, 3, 0, 8, 'P', 'a', 'b', 'c', 'd', 'e', 'f', 'g'}), "3Pabcdefg", false},

	{"6 before 5", page(descriptor(NAA, naa5), descriptor(NAA, naa6)), "36001405f000102030405060708090a0b", true},
	{"5 before 2", page(descriptor(NAA, naa2), descriptor(NAA, naa5)), "35001405203040506", true},
	{"the first of 2 and 3", page(descriptor(NAA, naa3), descriptor(NAA, naa2)), "33000000100000001", false},
	{"3 before EUI-64", page(descriptor(EUI64, eui), descriptor(NAA, naa3)), "33000000100000001", false},
	{"EUI-64 before T10", page(descriptor(T10, "x"), descriptor(EUI64, eui)), "20014050102030405", true},
	{"binary before ASCII", page(descriptor(T10, "x"), []byte{1, 1, 0, 1, 'x'}), "178", false},

	{"of a port", page([]byte{1, 0x13, 0, 1, 0x50}, []byte{1, 0x23, 0, 1, 0x50}, []byte{1, 0x33, 0, 1, 0x50}), "", false},
	{"vendor specific", page(descriptor(0, "abc")), "", false},
	{"SCSI name", page(descriptor(8, "iqn.2007-01.com.example:x")), "", false},
	{"of bits that are reserved", page([]byte{0x52, 0x81, 0, 1, 'x'}), "1x", false},
	{"zeros", page(descriptor(NAA, strings.Repeat("\x00", 16)), descriptor(T10, "x")), "1x", false},
	{"blanks", page(descriptor(T10, "    ")), "", false},
	{"empty", page(descriptor(NAA, "")), "", false},
	{"the longest", page(descriptor(T10, strings.Repeat("x", MaxID-1))), ID("1" + strings.Repeat("x", MaxID-1)), false},
	{"too long, and another", page(descriptor(T10, strings.Repeat("x", MaxID)), descriptor(T10, "y")), "1y", false},

	{"cut", page(descriptor(NAA, naa5), descriptor(NAA, naa6))[:20], "35001405203040506", true},
	{"longer than its length", append(page(descriptor(NAA, naa5)), descriptor(NAA, naa6)...), "35001405203040506", true},
	{"form of SCSI-2", []byte{0, 0x83, 0, 5, 1, 3, 0x60, 1, 0x50}, "", false},
	{"other page", append([]byte{0, 0x80}, page(descriptor(NAA, naa5))[2:]...), "", false},
	{"too long a page", append(page(descriptor(NAA, naa5)), make([]byte, maxPage)...), "", false},
	{"nothing", nil, "", false},
	{"a header", []byte{0, 0x83, 0, 4}, "", false},
	{"half a descriptor", []byte{0, 0x83, 0, 4, 1, 3}, "", false},
}

func TestIdentify(t *testing.T) {
	for _, tt := range identified {
		if id, global, ok := Identify(tt.page); id != tt.id || global != tt.global || ok != (tt.id != "") {
			t.Errorf("%s: %q, %v, %v, want %q, %v", tt.name, id, global, ok, tt.id, tt.global)
		}
	}
}

// real are pages as /sys/class/block/sda/device/vpd_pg83 had them, see testdata/README.
var real = map[string]struct {
	id     ID
	global bool
}{
	"gotgt.vpd83": {"33000000000000001", false},
	"tgtd.vpd83":  {"3600000000000000000000ab032600001", false},
	"lio.vpd83":   {"360014055d2b7c3e91aa4c0f8f521f6a3", true},
}

func TestIdentifyReal(t *testing.T) {
	for name, want := range real {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if id, global, ok := Identify(b); id != want.id || global != want.global || !ok {
			t.Errorf("%s: %q, %v, %v", name, id, global, ok)
		}
	}
}

// What is read from a page makes a page that is read the same; an ID needs no escapes.
func FuzzIdentify(f *testing.F) {
	for name := range real {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, tt := range identified {
		f.Add(tt.page)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		designators := Designators(b)
		var descriptors [][]byte
		for _, d := range designators {
			codeSet := byte(1)
			if d.ASCII {
				codeSet = 2
			}
			descriptors = append(descriptors, append([]byte{codeSet, byte(d.Type), 0, byte(len(d.Bytes))}, d.Bytes...))
		}
		again := Designators(page(descriptors...))
		if !slices.EqualFunc(designators, again, func(x, y Designator) bool {
			return x.Type == y.Type && x.ASCII == y.ASCII && bytes.Equal(x.Bytes, y.Bytes)
		}) {
			t.Errorf("%+v is read as %+v", designators, again)
		}
		id, global, ok := Identify(b)
		id2, global2, ok2 := Identify(page(descriptors...))
		if id != id2 || global != global2 || ok != ok2 || ok != (id != "") || global && !ok || len(id) > MaxID {
			t.Errorf("%q %v %v, then %q %v %v", id, global, ok, id2, global2, ok2)
		}
		for _, c := range []byte(id) {
			if !allowed(c) {
				t.Errorf("ID %q has %q", id, c)
			}
		}
		if read, part, isMap := ParseUUID(PartitionUUID(id, 128)); ok && (read != id || part != 128 || !isMap || len(PartitionUUID(id, 128)) > 128) {
			t.Errorf("%q is read as %q, %d", id, read, part)
		}
	})
}

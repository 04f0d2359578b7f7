package blockdev

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// list is the answer to REPORT LUNS with a length that may be wrong.
func list(length int, luns ...uint64) []byte {
	b := make([]byte, lunsHeader)
	binary.BigEndian.PutUint32(b, uint32(length))
	for _, lun := range luns {
		b = binary.BigEndian.AppendUint64(b, lun)
	}
	return b
}

func TestParseLUNs(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want []uint64
	}{
		{"several, in no order", list(24, 7<<48, 0, 1<<48), []uint64{0, 1, 7}},
		{"flat space addressing", list(8, 0x412c<<48), []uint64{0x412c}},
		{"two levels", list(8, 0x0001_0002<<32), []uint64{0x20001}},
		{"a well-known one", list(16, 0xc101<<48, 20<<48), []uint64{20}},
		{"more announced than came", list(4096, 1<<48), []uint64{1}},
		{"fewer announced", list(8, 1<<48, 2<<48), []uint64{1}},
		{"half of one", list(12, 1<<48, 2<<48), []uint64{1}},
		{"none", list(0), nil},
		{"nothing", nil, nil},
	} {
		if got := parseLUNs(tt.b); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzParseLUNs(f *testing.F) {
	f.Add(list(16, 0, 1<<48))
	f.Add(list(-1, 1<<48))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := parseLUNs(b); len(got) > len(b)/lunLen || !slices.IsSorted(got) {
			t.Errorf("%v of %d bytes", got, len(b))
		}
	})
}

// A file that is not a SCSI disk lists no LUNs.
func TestReportLUNsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReportLUNs(file); err == nil {
		t.Errorf("%v", got)
	}
}

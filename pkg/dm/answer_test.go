package dm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
)

// answers are the kernel's, in the order of testdata.
func answers(t testing.TB) (commands []uint, buffers [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/kernel-6.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var command uint
		var digits string
		if n, err := fmt.Sscan(line, &command, &digits); n != 2 {
			t.Fatal(line, err)
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		commands, buffers = append(commands, command), append(buffers, append(b, make([]byte, firstBuffer-len(b))...))
	}
	return commands, buffers
}

// What the kernel answered is read as what it meant.
func TestAnswers(t *testing.T) {
	n := func(major, minor uint32) table.Number { return table.Number{Major: major, Minor: minor} }
	want := []any{
		[]Entry(nil),
		Info{Name: "linear", UUID: "LVM-linear", Number: n(253, 0), Targets: 2, Active: true},
		[]Status{{0, 8, "zero", ""}, {8, 64, "linear", "1:0 16"}},
		[]table.Number{n(1, 0)},
		Info{Name: "striped", UUID: "LVM-striped", Number: n(253, 1), Targets: 1, Active: true},
		[]table.Number(nil),
		[]Entry{{"error", n(253, 2)}, {"linear", n(253, 0)}, {"striped", n(253, 1)}},
		[]table.Number{n(1, 6), n(1, 5), n(1, 4), n(1, 3)},
		[]Status{{0, 16384, "raid", "raid1 2 AA 16384/16384 idle 0 0 -"}},
		[]Status{{0, 12288, "raid", "raid10 6 128 nosync region_size 1024 raid10_copies 2 2 1:3 1:4 1:5 1:6"}},
		[]Status{{0, 32768, "thin-pool", "1:8 1:9 128 0 2 skip_block_zeroing error_if_no_space "}},
		"",
		[]Status{{0, 32768, "thin-pool", "5 419/4096 0/256 - rw no_discard_passdown error_if_no_space - 1024 "}},
	}
	commands, buffers := answers(t)
	if len(buffers) != len(want) {
		t.Fatalf("%d answers, want %d", len(buffers), len(want))
	}
	for i, b := range buffers {
		c := fake(func(command uint, into []byte) error {
			if command&0xff != commands[i] {
				t.Errorf("answer %d: command %d, want %d", i, command&0xff, commands[i])
			}
			copy(into, b)
			return nil
		})
		var got any
		var err error
		switch commands[i] {
		case 2:
			got, err = c.List()
		case 6:
			got, err = c.Resume("x", 0, 0)
		case 7:
			got, err = c.Info("x")
		case 11:
			got, err = c.Deps("x")
		case 12:
			got, err = c.Status("x")
		case 14:
			got, err = c.Message("x", 0, "y")
		}
		if err != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("answer %d: %#v, %v, want %#v", i, got, err, want[i])
		}
	}
}

// FuzzAnswer: whatever is in the buffer, what is read of it lies in it, and is read the same from a
// buffer that is made of it.
func FuzzAnswer(f *testing.F) {
	_, buffers := answers(f)
	for _, b := range buffers {
		f.Add(bytes.TrimRight(b, "\x00"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := append(bytes.Clone(raw), make([]byte, max(0, 1024-len(raw)))...)
		h, data, err := unmarshal(b)
		if err != nil {
			if !errors.Is(err, errAnswer) {
				t.Error(err)
			}
			return
		}
		again, data2, err := unmarshal(h.marshal(data, 0))
		if err != nil || *again != *h || !bytes.Equal(data2, data) {
			t.Errorf("%+v and %x came back as %+v and %x, %v", h, data, again, data2, err)
		}
		if v, err := unmarshalStatus(data, h.targets); err == nil {
			if again, err := unmarshalStatus(marshalStatus(v), uint32(len(v))); err != nil || !reflect.DeepEqual(again, v) {
				t.Errorf("%+v came back as %+v, %v", v, again, err)
			}
		}
		if v, err := unmarshalDeps(data); err == nil {
			if again, err := unmarshalDeps(marshalDeps(v)); err != nil || !reflect.DeepEqual(again, v) {
				t.Errorf("%v came back as %v, %v", v, again, err)
			}
		}
		if v, err := unmarshalList(data); err == nil {
			if again, err := unmarshalList(marshalList(v)); err != nil || !reflect.DeepEqual(again, v) {
				t.Errorf("%v came back as %v, %v", v, again, err)
			}
		}
	})
}

// FuzzTable: what is loaded holds the table, as a value.
func FuzzTable(f *testing.F) {
	f.Add(uint64(2048), "linear", "8:16 384", uint64(8), "striped", "1 8 8:32 0")
	f.Fuzz(func(t *testing.T, len1 uint64, type1, params1 string, len2 uint64, type2, params2 string) {
		tab := table.Table{{Start: 0, Length: len1, Target: odd{type1, params1}}, {Start: len1, Length: len2, Target: odd{type2, params2}}}
		if tab.Validate() != nil {
			return
		}
		b := marshalTable(tab)
		for _, l := range tab {
			next := native.Uint32(b[specNext:])
			got, err := unmarshalStatus(b, 1)
			if want := []Status{{l.Start, l.Length, l.Target.Type(), l.Target.Params()}}; err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v, %v, want %+v", got, err, want)
			}
			if next%alignment != 0 {
				t.Errorf("the next target is at %d", next)
			}
			b = b[next:]
		}
		if len(b) != 0 {
			t.Errorf("%d bytes behind the table", len(b))
		}
	})
}

// marshalStatus is the kernel's part (drivers/md/dm-ioctl.c: retrieve_status).
func marshalStatus(v []Status) []byte {
	var b []byte
	for _, s := range v {
		spec := make([]byte, (specLen+len(s.Text)+1+alignment-1)&^(alignment-1))
		native.PutUint64(spec, s.Start)
		native.PutUint64(spec[specLength:], s.Length)
		native.PutUint32(spec[specNext:], uint32(len(b)+len(spec)))
		copy(spec[specType:specLen], s.Type)
		copy(spec[specLen:], s.Text)
		b = append(b, spec...)
	}
	return b
}

// encode is huge_encode_dev.
func encode(n table.Number) uint64 {
	return uint64(n.Minor&0xff | n.Major<<8 | n.Minor&^0xff<<12)
}

// marshalDeps is retrieve_deps.
func marshalDeps(v []table.Number) []byte {
	b := native.AppendUint64(nil, 0)
	native.PutUint32(b, uint32(len(v)))
	for _, n := range v {
		b = native.AppendUint64(b, encode(n))
	}
	return b
}

// marshalList is list_devices; it does not align, which the reader does not need.
func marshalList(v []Entry) []byte {
	var b []byte
	for i, e := range v {
		next := 0
		if i+1 < len(v) {
			next = 12 + len(e.Name) + 1
		}
		b = native.AppendUint64(b, encode(e.Number))
		b = native.AppendUint32(b, uint32(next))
		b = append(append(b, e.Name...), 0)
	}
	return b
}

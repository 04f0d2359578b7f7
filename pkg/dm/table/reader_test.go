package table

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// disks are the contents of devices, by minor number.
type disks map[uint32]string

func (d disks) open(n Number) io.ReaderAt {
	if s, ok := d[n.Minor]; ok {
		return strings.NewReader(s)
	}
	return nil
}

// fill returns n legs with the chunks of a picture: a letter is a chunk of 512 bytes, "." is
// parity, and a word is a row.
func fill(n int, picture string) (d disks, legs []Leg) {
	d = disks{}
	for i, c := range strings.ReplaceAll(picture, " ", "") {
		d[uint32(i%n)] += strings.Repeat(string(c), SectorSize)
	}
	for i := range n {
		legs = append(legs, Leg{Data: &Number{8, uint32(i)}})
	}
	return d, legs
}

// letters returns the chunks of a text, one letter for each.
func letters(text string) (out string) {
	for i := 0; i < len(text); i += SectorSize {
		if strings.Count(text[i:min(i+SectorSize, len(text))], text[i:i+1]) != SectorSize {
			return out + "?"
		}
		out += text[i : i+1]
	}
	return out
}

func readAll(t *testing.T, tab Table, d disks) string {
	t.Helper()
	r, err := tab.Reader(d.open)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := io.CopyBuffer(&out, onlyReader{io.NewSectionReader(r, 0, int64(tab.Sectors())*SectorSize)}, make([]byte, 700)); err != nil {
		t.Fatal(err)
	}
	return letters(out.String())
}

// onlyReader hides WriteTo, which would choose a buffer of its own.
type onlyReader struct{ io.Reader }

// Each layout of md's, by its picture (drivers/md/raid5.c: raid5_compute_sector;
// drivers/md/raid10.c: __raid10_find_phys).
func TestReaderOfRaids(t *testing.T) {
	for _, tt := range []struct {
		level   string
		legs    int
		picture string
	}{
		{"raid0", 3, "abc def ghi"},
		{"raid1", 3, "aaa bbb ccc"},
		{"raid10", 3, "aab bcc dde eff"},
		{"raid10_near", 4, "aabb ccdd eeff"},
		{"raid4", 4, ".abc .def .ghi"},
		{"raid5_n", 4, "abc. def. ghi."},
		{"raid5_ls", 4, "abc. ef.d i.gh .jkl mno."},
		{"raid5_la", 4, "abc. de.f g.hi .jkl mno."},
		{"raid5_rs", 4, ".abc f.de hi.g jkl. .mno"},
		{"raid5_ra", 4, ".abc d.ef gh.i jkl. .mno"},
		{"raid6_zr", 5, "..abc d..ef gh..i jkl.. .mno. ..pqr"},
		{"raid6_nr", 5, "abc.. de..f g..hi ..jkl .mno. pqr.."},
		{"raid6_nc", 5, "abc.. ef..d i..gh ..jkl .mno. pqr.."},
		{"raid6_n_6", 5, "abc.. def.."},
	} {
		d, legs := fill(tt.legs, tt.picture)
		r := &Raid{Level: tt.level, ChunkSectors: 1, Legs: legs}
		if tt.level == "raid1" {
			r.ChunkSectors = 0
		}
		last := max('a', rune(strings.ReplaceAll(tt.picture, ".", "")[0]))
		for _, c := range tt.picture {
			last = max(last, c)
		}
		want := "abcdefghijklmnopqr"[:last-'a'+1]
		if got := readAll(t, Table{{0, uint64(len(want)), r}}, d); got != want {
			t.Errorf("%s: %q, want %q", tt.level, got, want)
		}
	}
}

func TestReaderOfLines(t *testing.T) {
	d, _ := fill(2, "ab cd ef gh")
	tab := Table{
		{0, 2, Linear{Number{8, 1}, 1}},
		{2, 4, Striped{1, []Area{{Number{8, 0}, 0}, {Number{8, 1}, 2}}}},
		{6, 1, Linear{Number{8, 0}, 3}},
	}
	if got := readAll(t, tab, d); got != "dfafchg" {
		t.Errorf("%q", got)
	}
	r, err := tab.Reader(d.open)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.ReadAt(make([]byte, 2*SectorSize), 6*SectorSize); n != SectorSize || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

// A leg that is missing, or not in sync, is not read: a copy is, or nothing.
func TestReaderWithoutLegs(t *testing.T) {
	d, legs := fill(3, "aab bcc dde eff")
	r := &Raid{Level: "raid10", ChunkSectors: 1, Legs: legs, Rebuild: []int{0}}
	if got := readAll(t, Table{{0, 6, r}}, d); got != "abcdef" {
		t.Errorf("raid10: %q", got)
	}
	d, legs = fill(2, "xa xb")
	r = &Raid{Level: "raid1", Legs: legs, WriteMostly: []int{0}}
	if got := readAll(t, Table{{0, 2, r}}, d); got != "ab" {
		t.Errorf("raid1, write-mostly: %q", got)
	}
	r = &Raid{Level: "raid1", Legs: []Leg{{}, legs[1]}}
	if got := readAll(t, Table{{0, 2, r}}, d); got != "ab" {
		t.Errorf("raid1, missing: %q", got)
	}
	d, legs = fill(3, "ab. d.c")
	delete(d, 1)
	tab := Table{{0, 4, &Raid{Level: "raid5_ls", ChunkSectors: 1, Legs: legs}}}
	reader, err := tab.Reader(d.open)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := reader.ReadAt(make([]byte, 2*SectorSize), 0); n != SectorSize || !errors.Is(err, ErrNotReadable) {
		t.Errorf("raid5: %d, %v", n, err)
	}
}

func TestReaderRefuses(t *testing.T) {
	_, legs := fill(3, "abc")
	for _, target := range []Target{
		Thin{Pool: Number{252, 1}},
		&ThinPool{},
		Zero{},
		Error{},
		&Raid{Level: "raid10_far", ChunkSectors: 1, Legs: legs}, &Raid{Level: "raid10", Format: "offset", ChunkSectors: 1, Legs: legs},
		&Raid{Level: "raid6_ls_6", ChunkSectors: 1, Legs: legs}, &Raid{Level: "raid5_ls", Legs: legs},
	} {
		if _, err := (Table{{0, 8, target}}).Reader(disks{}.open); !errors.Is(err, ErrNotReadable) {
			t.Errorf("%s: %v", target.Type(), err)
		}
	}
}

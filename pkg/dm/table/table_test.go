package table

import (
	"reflect"
	"strings"
	"testing"
)

func dev(major, minor uint32) *Number { return &Number{major, minor} }

// targets are values and the text that the kernel prints for them. Those of raid and thin-pool are
// in the form of raid_status of drivers/md/dm-raid.c and of emit_flags of drivers/md/dm-thin.c.
var targets = []struct {
	kind, params string
	target       Target
}{
	{"linear", "8:16 2048", Linear{Number{8, 16}, 2048}},
	{"linear", "259:1048575 0", Linear{Number{259, 1048575}, 0}},
	{"striped", "2 128 8:16 2048 8:32 4096", Striped{128, []Area{{Number{8, 16}, 2048}, {Number{8, 32}, 4096}}}},
	{"zero", "", Zero{}},
	{"error", "", Error{}},
	{"thin-pool", "254:0 254:1 128 0 0", &ThinPool{Meta: Number{254, 0}, Data: Number{254, 1}, BlockSectors: 128}},
	{"thin-pool", "254:0 254:1 2097152 5 5 skip_block_zeroing ignore_discard no_discard_passdown read_only error_if_no_space", &ThinPool{
		Meta: Number{254, 0}, Data: Number{254, 1}, BlockSectors: 2097152, LowWater: 5,
		SkipZeroing: true, IgnoreDiscard: true, NoDiscardPassdown: true, ReadOnly: true, ErrorIfNoSpace: true,
	}},
	{"thin", "254:2 1", Thin{Pool: Number{254, 2}, ID: 1}},
	{"thin", "254:2 16777215 254:9", Thin{Number{254, 2}, 16777215, dev(254, 9)}},
	{"raid", "raid1 3 0 region_size 4096 2 254:0 254:1 254:2 254:3", &Raid{Level: "raid1", RegionSectors: 4096, Legs: []Leg{
		{dev(254, 0), dev(254, 1)}, {dev(254, 2), dev(254, 3)},
	}}},
	{"multipath", "1 queue_if_no_path 0 2 1 service-time 0 2 2 8:0 1 1 8:16 1 1 service-time 0 1 2 65:0 1 1", &Multipath{
		Queue: true, First: 1, Groups: []PathGroup{{[]Number{{8, 0}, {8, 16}}}, {[]Number{{65, 0}}}},
	}},
	{"multipath", "0 0 1 1 service-time 0 1 2 8:0 1 1", &Multipath{First: 1, Groups: []PathGroup{{[]Number{{8, 0}}}}}},
	{"multipath", "1 queue_if_no_path 0 0 0", &Multipath{Queue: true}},
	{"raid", "raid0 1 128 2 - 254:1 - 254:3", &Raid{Level: "raid0", ChunkSectors: 128, Legs: []Leg{{nil, dev(254, 1)}, {nil, dev(254, 3)}}}},
	{"raid", "raid1 16 0 nosync rebuild 0 rebuild 2 min_recovery_rate 1 max_recovery_rate 2 write_mostly 1 max_write_behind 256 region_size 1024 3 - - 254:0 254:1 254:2 254:3", &Raid{
		Level: "raid1", NoSync: true, Rebuild: []int{0, 2}, MinRecoveryRate: 1, MaxRecoveryRate: 2, WriteMostly: []int{1},
		MaxWriteBehind: 256, RegionSectors: 1024, Legs: []Leg{{}, {dev(254, 0), dev(254, 1)}, {dev(254, 2), dev(254, 3)}},
	}},
	{"raid", "raid10 6 128 sync raid10_copies 2 raid10_format near 2 254:0 254:1 254:2 254:3", &Raid{
		Level: "raid10", ChunkSectors: 128, Sync: true, Copies: 2, Format: "near", Legs: []Leg{{dev(254, 0), dev(254, 1)}, {dev(254, 2), dev(254, 3)}},
	}},
}

func TestTargets(t *testing.T) {
	for _, c := range targets {
		if c.target.Type() != c.kind || c.target.Params() != c.params {
			t.Errorf("%#v is %s %q, want %s %q", c.target, c.target.Type(), c.target.Params(), c.kind, c.params)
		}
		// The kernel ends some with a space.
		if got, err := Parse(c.kind, c.params+" "); err != nil || !reflect.DeepEqual(got, c.target) {
			t.Errorf("Parse(%s, %q): %#v, %v, want %#v", c.kind, c.params, got, err, c.target)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ kind, params, why string }{
		{"crypt", "0", "unknown type"},
		{"linear", "8:16", "too short"},
		{"linear", "8:16 0 0", "behind the end"},
		{"linear", "sda 0", `device "sda"`},
		{"linear", "4096:0 0", "out of range"},
		{"linear", "8:1048576 0", "out of range"},
		{"striped", "3 128 8:16 0 8:32 0", "2 stripes, not 3"},
		{"striped", "0 128", "0 stripes"},
		{"striped", "1 0 8:16 0", "stripes of 0 sectors"},
		{"zero", "1", "behind the end"},
		{"thin", "254:2 16777216", "more than"},
		{"thin", "254:2 1 254:2", "the origin is the pool"},
		{"thin-pool", "254:0 254:0 128 0 0", "same device"},
		{"thin-pool", "254:0 254:1 100 0 0", "blocks of 100 sectors"},
		{"thin-pool", "254:0 254:1 128 0 2 read_only", "2 are not there"},
		{"thin-pool", "254:0 254:1 128 0 1 fast", `"fast"`},
		{"multipath", "0 0 1 0 service-time 0 1 2 8:0 1 1", "group 0 of 1"},
		{"multipath", "0 0 1 2 service-time 0 1 2 8:0 1 1", "group 2 of 1"},
		{"multipath", "0 0 0 1", "group 1 of 0"},
		{"multipath", "0 0 1 1 service-time 0 0 2", "group 1 has no path"},
		{"multipath", "0 0 1 1 service-time 0 2 2 8:0 1 1", "too short"},
		{"multipath", "2 queue_if_no_path", "2 are not there"},
		{"multipath", "0 1 alua 1 1 service-time 0 1 2 8:0 1 1 1", "behind the end"},
		{"multipath", "0 0 1025 1" + strings.Repeat(" service-time 0 1 0 8:0", 1025), "1025 groups"},
		{"multipath", "0 0 1 1 service-time 0 1 2 sda 1 1", `device "sda"`},
		{"raid", "raid7 1 0 1 - 254:1", `"raid7"`},
		{"raid", "raid1 1 0 0", "0 legs"},
		{"raid", "raid1 1 0 2 - 254:1", "2 are not there"},
		{"raid", "raid1 1 0 2 - - - -", "are missing"},
		{"raid", "raid1 1 0 1 254:0 -", "without data"},
		{"raid", "raid1 3 0 rebuild 2 2 - 254:0 - 254:1", "leg 2 of 2"},
		{"raid", "raid1 3 0 sync nosync 1 - 254:0", "both"},
		{"raid", "raid5_ls 1 96 1 - 254:0", "powers of two"},
		{"raid", "raid0 3 64 region_size 1024 1 - 254:0", "raid0 has no region_size"},
		{"raid", "raid6_zr 2 64 nosync 1 - 254:0", "raid6_zr has no nosync"},
		{"raid", "raid10 3 64 write_mostly 0 1 - 254:0", "raid10 has no write_mostly"},
		{"raid", "raid5_ls 3 64 max_write_behind 256 1 - 254:0", "has no max_write_behind"},
		{"raid", "raid10 3 64 raid10_copies 1 2 - 254:0 - 254:1", "1 copies on 2 legs"},
		{"raid", "raid1 3 0 raid10_copies 2 2 - 254:0 - 254:1", "raid1 has no raid10_copies"},
		{"raid", "raid4 3 64 raid10_format near 1 - 254:0", "raid4 has no raid10_format"},
		{"raid", "raid5_ls 3 64 delta_disks 1 1 - 254:0", `"delta_disks"`},
	} {
		if v, err := Parse(c.kind, c.params); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("Parse(%s, %q): %v, %v, want an error with %q", c.kind, c.params, v, err, c.why)
		}
	}
}

// own is a target of another package.
type own struct{ kind, params string }

func (o own) Type() string   { return o.kind }
func (o own) Params() string { return o.params }

func TestValidate(t *testing.T) {
	good := Table{{0, 8, Zero{}}, {8, 2040, Linear{Number{8, 16}, 384}}, {2048, 1, own{"multipath", "0 0 1 1 x"}}}
	if err := good.Validate(); err != nil || good.Sectors() != 2049 {
		t.Errorf("%v: %v, %d sectors", good, err, good.Sectors())
	}
	const text = "0 8 zero\n8 2040 linear 8:16 384\n2048 1 multipath 0 0 1 1 x\n"
	if good.String() != text {
		t.Errorf("text %q, want %q", good, text)
	}
	for _, c := range []struct {
		table Table
		why   string
	}{
		{nil, "0 lines"},
		{Table{{1, 8, Zero{}}}, "begins at sector 1, not at 0"},
		{Table{{0, 8, Zero{}}, {9, 8, Zero{}}}, "line 2: begins at sector 9, not at 8"},
		{Table{{0, 0, Zero{}}}, "length of 0"},
		{Table{{0, 1 << 54, Zero{}}}, "length of"},
		{Table{{0, 1, Zero{}}, {1, 1<<54 - 1, Zero{}}}, "line 2: length of"},
		{Table{{0, 8, nil}}, "no target"},
		{Table{{0, 8, own{"", ""}}}, `type ""`},
		{Table{{0, 8, own{"sixteen-letters-", ""}}}, "type"},
		{Table{{0, 8, own{"multipath", "a\x00b"}}}, "NUL"},
		{Table{{0, 8, Thin{ID: 1 << 24}}}, "thin: device id"},
		{Table{{0, 8, own{"multipath", strings.Repeat("x", 1<<29+1)}}}, "too long"},
	} {
		if err := c.table.Validate(); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%.60v: %v, want an error with %q", c.table, err, c.why)
		}
	}
}

// What Parse reads is valid, and its text is read as the same value again.
func FuzzParse(f *testing.F) {
	for _, c := range targets {
		f.Add(c.kind, c.params)
	}
	for _, c := range kernelMaps(f) {
		f.Add("multipath", c.params)
	}
	f.Fuzz(func(t *testing.T, kind, params string) {
		v, err := Parse(kind, params)
		if err != nil {
			return
		}
		if err := (Table{{0, 8, v}}).Validate(); err != nil {
			t.Errorf("Parse(%q, %q) is not valid: %v", kind, params, err)
		}
		again, err := Parse(v.Type(), v.Params())
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Errorf("%q %q: %#v is %q, read as %#v, %v", kind, params, v, v.Params(), again, err)
		}
	})
}

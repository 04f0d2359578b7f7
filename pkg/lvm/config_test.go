package lvm_test

import (
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// In the metadata of one LV each change is an error that names what is wrong, and where.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`contents=`, `content=`, "metadata: text: contents is missing"},
		{`version=1`, `version=2`, "metadata: text: version is 2, not 1"},
		{` v{`, ` ../v{`, `metadata: ../v: name "../v" is not one of lvm`},
		{` v{`, ` v=`, `metadata at byte 50: "=" is unexpected`},
		{`seqno=1`, `seqno=-1`, `metadata: v: seqno is "-1", not a number of 32 bits`},
		{`seqno=1`, `seqno="1"`, `metadata: v: seqno is "1", not a number of 32 bits`},
		{`seqno=1`, `seqno=[1,2]`, `metadata: v: seqno is missing, or is not a single value`},
		{`seqno=1`, `seqno=1 seqno=1`, `metadata at byte 100: "seqno" is there twice, or empty`},
		{`extent_size=8`, `extent_size=0`, `metadata: v: extent_size is 0`},
		{`status=["READ"]`, `status=[READ]`, `metadata: v: status has "READ", which is not a string`},
		{`bbbbbb-`, `bbbbb?-`, `metadata: v/p: id "bbbbb?`},
		{`pe_start=8`, `pe_start=18014398509481985`, "metadata: v/p: pe_start and pe_count are too large"},
		{`stripes=["p",0]`, `stripes=["p"]`, "metadata: v/a/s: stripes has 1 values for 1 areas"},
		{`stripes=["p",0]`, `stripes=["q",0]`, `metadata: v/a: "q" is not a PV or an LV of the VG`},
		{`stripes=["p",0]`, `stripes=["p",9]`, "metadata: v/a: extents 9 to 10 are beyond the 9 of p"},
		{`stripe_size=8 `, ``, "metadata: v/a/t: stripe_size is missing"},
		{`start_extent=1`, `start_extent=2`, "metadata: v/a: segments begin at extent 2 instead of 1"},
		{`segment_count=2`, `segment_count=3`, "metadata: v/a: segment_count is 3, with 2 segments"},
		{`start_extent=1 extent_count=2`, `start_extent=1 extent_count=3`, "metadata: v/a: 3 extents on 2 stripes"},
		{`region_size=8`, ``, "metadata: v/b/s: region_size is missing"},
		{`device_count=1`, `device_count=2`, "metadata: v/b/s: raids has 1 legs, not 2"},
		{`raids=["c_rmeta_0","c"]`, `raids=["c","x"] device_count=2`, `metadata at byte`},
		{`"c_rmeta_0","c"`, `"c_rmeta_0","x"`, `metadata: v/b: "x" is not an LV of the VG`},
		{`device_id=1`, `device_id=16777216`, "metadata: v/d/s: device_id is \"16777216\", not a number of 24 bits"},
		{`chunk_size=128`, `chunk_size=0`, "metadata: v/e/s: chunk_size is 0"},
		{`chunk_size=128`, `chunk_size=128 discards="x"`, `metadata: v/e/s: discards is "x"`},
		{`transaction_id=2}}}}`, `transaction_id='2`, "a string without an end"},
		{`ccccce`, `cccccd`, "metadata: v: two LVs have the id cccccc-"},
		{`9}} logical`, `9} q{id="bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb" status=[] pe_start=0 pe_count=0}} logical`, "metadata: v: two PVs have the id bbbbbb-"},
		{`transaction_id=2}}}}`, `transaction_id=2}}}`, "the end is unexpected"},
		{`transaction_id=2}}}}`, `transaction_id=2}}}}}`, `"}" is unexpected`},
		{`# comment`, `}`, `is unexpected`},
		{`status=["REBUILD"]`, strings.Repeat("x{", 20), "more than 8 levels"},
		{`status=["REBUILD"]`, "x=[" + strings.Repeat("1 ", 1<<19) + "]", "more than 524288 keys and values"},
	} {
		if !strings.Contains(small, c.old) {
			t.Fatalf("%s is not in the text", c.old)
		}
		_, err := lvm.Parse([]byte(strings.Replace(small, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: %v, want %s", clipped(c.new), c.old, err, c.want)
		}
	}
}

func clipped(s string) string { return s[:min(len(s), 60)] }

// What lvm2 accepts: comments, lists without commas, quotes and backslashes, all kinds of blanks, a
// NUL behind the text, and flags of a newer version.
func TestParseOddities(t *testing.T) {
	text := strings.NewReplacer(
		`stripes=["p",0]`, "stripes # {\n\t=\r[ 'p' 0, ]",
		`status=["VISIBLE","WRITE"]`, `status=["VISIBLE","WRITE"] flags=["NEW_WORD"] tags=["a#b{"] creation_time=99999999999999999999`,
		`status=[] pe_start=8`, `"status"="ALLOCATABLE" device="/dev/\"a\\b\#" pe_start = 8`,
	).Replace(small) + "\x00\"garbage"
	vg, err := lvm.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if p := vg.PVs[0]; p.Device != `/dev/"a\b\#` || len(p.Status) != 1 {
		t.Errorf("%+v", p)
	}
	if l := vg.LVs[0]; len(l.Segments) != 2 || len(l.Flags) != 1 || l.Hidden() {
		t.Errorf("%+v", l)
	}
}

// Segments that continue each other are one, as in the tables of lvm2.
func TestParseJoins(t *testing.T) {
	text := strings.Replace(small, `t{start_extent=1 extent_count=2 type="striped" stripe_count=2 stripe_size=8 stripes=["p",1,"b",0]}`,
		`t{start_extent=1 extent_count=2 type="striped" stripe_count=1 stripes=["p",1]}`, 1)
	vg, err := lvm.Parse([]byte(text))
	if err != nil || len(vg.LVs[0].Segments) != 1 || vg.LVs[0].Extents() != 3 {
		t.Error(vg, err)
	}
}

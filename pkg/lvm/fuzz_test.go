package lvm_test

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// equal compares VGs: what a text leaves out is the same as what it has as nothing.
func equal() cmp.Options {
	return cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(lvm.Area{})}
}

// textOf cuts the text that is in force out of the first area of a disk that lvm2 wrote, where it
// does not wrap.
func textOf(t testing.TB, name, disk string) []byte {
	t.Helper()
	b := unpack(t, filepath.Join("testdata", name, disk+".gz"))
	at, n := binary.LittleEndian.Uint64(b[4096+40:]), binary.LittleEndian.Uint64(b[4096+48:])
	return b[4096+at : 4096+at+n]
}

// small has a bit of everything, so that a change of it is soon another VG.
const small = `contents="Text Format Volume Group" version=1 v{id="aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa"
seqno=1 extent_size=8 status=["READ"] physical_volumes{p{id="bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb"
status=[] pe_start=8 pe_count=9}} logical_volumes{
a{id="cccccc-cccc-cccc-cccc-cccc-cccc-cccccc" status=["VISIBLE","WRITE"] segment_count=2
s{start_extent=0 extent_count=1 type="striped" stripe_count=1 stripes=["p",0]} # comment
t{start_extent=1 extent_count=2 type="striped" stripe_count=2 stripe_size=8 stripes=["p",1,"b",0]}}
b{id="cccccc-cccc-cccc-cccc-cccc-cccc-cccccd" status=[] segment_count=1
s{start_extent=0 extent_count=1 type="raid1" device_count=1 region_size=8 raids=["c_rmeta_0","c"]}}
c{id="cccccc-cccc-cccc-cccc-cccc-cccc-ccccce" status=["REBUILD"] segment_count=1
s{start_extent=0 extent_count=1 type="striped" stripe_count=1 stripes=["p",2]}}
c_rmeta_0{id="cccccc-cccc-cccc-cccc-cccc-cccc-cccccf" status=[] segment_count=1
s{start_extent=0 extent_count=1 type="striped" stripe_count=1 stripes=["p",3]}}
d{id="cccccc-cccc-cccc-cccc-cccc-cccc-cccccg" status=["VISIBLE"] segment_count=1
s{start_extent=0 extent_count=9 type="thin" thin_pool="e" device_id=1 transaction_id=0 external_origin="a"}}
e{id="cccccc-cccc-cccc-cccc-cccc-cccc-ccccch" status=[] segment_count=1
s{start_extent=0 extent_count=9 type="thin-pool" pool="b" metadata="c" chunk_size=128 transaction_id=2}}}}`

// FuzzParse parses what lvm2 wrote, changed: what is read is written and read again as the same,
// and each LV has a plan or an error.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"linear", "dashes", "striped", "raid", "thin", "stack", "refused", "systemid"} {
		f.Add(textOf(f, name, "254-0"))
	}
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, b []byte) {
		vg, err := lvm.Parse(b)
		if err != nil {
			return
		}
		again, err := lvm.Parse([]byte(format(vg)))
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, format(vg))
		}
		if diff := cmp.Diff(vg, again, equal()); diff != "" {
			t.Fatalf("-first +again:\n%s", diff)
		}
		vg.Candidates(lvm.Options{SystemID: vg.SystemID})
		planAll(t, vg)
	})
}

// planAll plans each LV with all PVs there. A table is made with numbers that are all different.
func planAll(t *testing.T, vg *lvm.VG) {
	t.Helper()
	var all []lvm.Found
	for _, p := range vg.PVs {
		all = append(all, lvm.Found{Place: p.Name, PV: lvm.PV{ID: p.ID, Device: 1 << 62, Copies: []lvm.Copy{{VG: vg}}}})
	}
	if len(all) == 0 {
		return
	}
	groups, problems := lvm.Assemble(all)
	if len(groups) != 1 || len(problems) > 0 {
		t.Fatal(groups, problems)
	}
	for _, l := range vg.LVs[:min(len(vg.LVs), 50)] {
		volumes, err := groups[0].Plan(l.Name, lvm.Options{SystemID: vg.SystemID})
		if err != nil {
			continue
		}
		n := map[lvm.Ref]table.Number{}
		for _, v := range volumes {
			for _, r := range v.Refs() {
				n[r] = table.Number{Major: 8, Minor: uint32(len(n))}
			}
			_, _ = v.Table(func(r lvm.Ref) (table.Number, bool) { x, ok := n[r]; return x, ok })
		}
	}
}

// mend makes the checksums right, which would stop most of what is changed.
func mend(b []byte) []byte {
	b = bytes.Clone(b)
	le := binary.LittleEndian
	if len(b) < 1024 {
		return b
	}
	le.PutUint32(b[512+16:], crc(b[512+20:1024]))
	for at := areaStart; at+512 <= len(b); at += areaLen {
		h := b[at : at+512]
		offset, n, length := le.Uint64(h[40:]), le.Uint64(h[48:]), le.Uint64(h[32:])
		if area := b[at:]; length <= uint64(len(area)) && offset < length && n < length {
			first := min(n, length-offset)
			text := append(bytes.Clone(area[offset:offset+first]), area[min(512, length):min(512+n-first, length)]...)
			le.PutUint32(h[56:], crc(text))
		}
		le.PutUint32(h, crc(h[4:]))
	}
	return b
}

// FuzzReadPV reads disks with lvm2's own metadata and others, changed: what is read is written and
// read again as the same.
func FuzzReadPV(f *testing.F) {
	pv := lvm.PV{ID: "abcdefghijklmnopqrstuvwxyzABCDEF", Size: 1 << 30, Used: true}
	f.Add(encode(pv, string(bytes.TrimRight(textOf(f, "linear", "254-0"), "\x00"))))
	f.Add(encode(pv, "", string(bytes.TrimRight(textOf(f, "thin", "254-0"), "\x00"))))
	wrapped := unpack(f, filepath.Join("testdata", "wrapped", "254-0.gz"))
	f.Add(wrapped[:64<<10])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		b = mend(b)
		first, err := lvm.ReadPV(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		var texts []string
		for _, c := range first.Copies {
			text := format(c.VG)
			if len(text) > areaLen-1024 {
				return
			}
			texts = append(texts, text)
		}
		written := encode(first, texts...)
		again, err := lvm.ReadPV(bytes.NewReader(written), int64(len(written)))
		if err != nil || len(again.Damaged) > 0 {
			t.Fatalf("what was written is not read: %v %v", err, again.Damaged)
		}
		if diff := cmp.Diff(first, again, equal(), cmpopts.IgnoreFields(lvm.PV{}, "Device", "Damaged"), cmpopts.IgnoreFields(lvm.Copy{}, "At")); diff != "" {
			t.Fatalf("-first +again:\n%s", diff)
		}
	})
}

package lvm_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// format writes the text of a VG, as lvm2 does (lib/format_text/export.c).
func format(vg *lvm.VG) string {
	w := &writer{pvs: map[lvm.ID]string{}}
	w.line("contents = \"Text Format Volume Group\"\nversion = 1")
	w.open(vg.Name)
	w.line("id = %s\nseqno = %d\nextent_size = %d", quote(vg.ID.String()), vg.Seqno, vg.ExtentSectors)
	w.list("status", vg.Status)
	w.optional("system_id", vg.SystemID)
	w.optional("lock_type", vg.LockType)
	w.open("physical_volumes")
	for _, p := range vg.PVs {
		w.pvs[p.ID] = p.Name
		w.open(p.Name)
		w.line("id = %s\npe_start = %d\npe_count = %d", quote(p.ID.String()), p.StartSectors, p.Extents)
		w.list("status", p.Status)
		w.optional("device", p.Device)
		w.close()
	}
	w.close()
	w.open("logical_volumes")
	for _, l := range vg.LVs {
		w.lv(l)
	}
	w.close()
	w.close()
	return w.b.String()
}

type writer struct {
	b   strings.Builder
	pvs map[lvm.ID]string
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }
func (w *writer) open(key string)                 { w.line("%s {", quote(key)) }
func (w *writer) close()                          { w.line("}") }

func (w *writer) list(key string, words []string) {
	var out []string
	for _, s := range words {
		out = append(out, quote(s))
	}
	w.line("%s = [%s]", key, strings.Join(out, ", "))
}

func (w *writer) optional(key, text string) {
	if text != "" {
		w.line("%s = %s", key, quote(text))
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (w *writer) lv(l lvm.LV) {
	w.open(l.Name)
	w.line("id = %s\nsegment_count = %d", quote(l.ID.String()), len(l.Segments))
	w.list("status", l.Status)
	w.list("flags", l.Flags)
	if l.Minor >= 0 {
		w.line("minor = %d", l.Minor)
	}
	for i, s := range l.Segments {
		w.open(fmt.Sprint("segment", i+1))
		w.line("start_extent = %d\nextent_count = %d", s.Start, s.Extents)
		w.segment(s)
		w.close()
	}
	w.close()
}

func (w *writer) segment(s lvm.Segment) {
	switch t := s.Type.(type) {
	case *lvm.Striped:
		w.line("type = \"striped\"\nstripe_count = %d\nstripe_size = %d\nstripes = [", len(t.Areas), t.StripeSectors)
		for _, a := range t.Areas {
			w.line("%s, %d,", quote(w.pvs[a.PV]+a.LV), a.Extent)
		}
		w.line("]")
	case *lvm.Raid:
		w.raid(t)
	case *lvm.ThinPool:
		w.line("type = \"thin-pool\"\npool = %s\nmetadata = %s\nchunk_size = %d\ntransaction_id = %d", quote(t.Data), quote(t.Meta), t.ChunkSectors, t.TransactionID)
		w.optional("discards", t.Discards)
		for key, set := range map[string]bool{"zero_new_blocks = 1": t.Zero, "crop_metadata = 1": t.Crop, "message1 {}": t.Pending} {
			if set {
				w.line("%s", key)
			}
		}
	case *lvm.Thin:
		w.line("type = \"thin\"\nthin_pool = %s\ndevice_id = %d\ntransaction_id = %d", quote(t.Pool), t.DeviceID, t.TransactionID)
		w.optional("origin", t.Origin)
		w.optional("external_origin", t.External)
		w.optional("merge", t.Merge)
	case *lvm.Unsupported:
		w.line("type = %s", quote(t.Name))
		for i, name := range t.Uses {
			w.line("%s = %s", []string{"origin", "cow_store", "merging_store"}[i], quote(name))
		}
	}
}

func (w *writer) raid(r *lvm.Raid) {
	name, key := r.Level, "raids"
	if r.Level == "raid0" {
		key = "raid0_lvs"
		if slices.ContainsFunc(r.Legs, func(l lvm.Leg) bool { return l.Meta != "" }) {
			name, key = "raid0_meta", "raids"
		}
	}
	w.line("type = %s\ndevice_count = %d\nregion_size = %d\nstripe_size = %d", quote(name), len(r.Legs), r.RegionSectors, r.StripeSectors)
	w.line("data_copies = %d\nwritebehind = %d\nmin_recovery_rate = %d\nmax_recovery_rate = %d", r.Copies, r.WriteBehind, r.MinRecoveryRate, r.MaxRecoveryRate)
	var lvs []string
	for _, l := range r.Legs {
		if l.Meta != "" {
			lvs = append(lvs, l.Meta)
		}
		lvs = append(lvs, l.Data)
	}
	w.list(key, lvs)
}

// The layout of a written PV: the label is in sector 1, the metadata areas follow each other.
const (
	areaStart = 4096
	areaLen   = 64 << 10
)

// encode writes the label of a PV with an area for each text. An empty one is an area not in use.
func encode(pv lvm.PV, texts ...string) []byte {
	size := max(int(pv.Device), areaStart+len(texts)*areaLen)
	b := make([]byte, size)
	le := binary.LittleEndian
	s := b[512:1024]
	copy(s, "LABELONE")
	le.PutUint64(s[8:], 1)
	le.PutUint32(s[20:], 32)
	copy(s[24:], "LVM2 001")
	copy(s[32:], string(pv.ID))
	le.PutUint64(s[64:], pv.Size)
	le.PutUint64(s[72:], 1<<20) // a data area up to the end
	at := 72 + 32
	for i, text := range texts {
		start := areaStart + i*areaLen
		le.PutUint64(s[at:], uint64(start))
		le.PutUint64(s[at+8:], areaLen)
		at += 16
		encodeArea(b[start:start+areaLen], uint64(start), text)
	}
	at += 16
	le.PutUint32(s[at:], 2)
	if pv.Used {
		le.PutUint32(s[at+4:], 1)
	}
	le.PutUint32(s[16:], crc(s[20:]))
	return b
}

// encodeArea writes a text so that it wraps.
func encodeArea(b []byte, start uint64, text string) {
	le := binary.LittleEndian
	copy(b[4:], " LVM2 x[5A%r0N*>")
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], start)
	le.PutUint64(b[32:], uint64(len(b)))
	if text != "" {
		text += "\x00"
		offset := len(b) - len(text)/2
		le.PutUint64(b[40:], uint64(offset))
		le.PutUint64(b[48:], uint64(len(text)))
		le.PutUint32(b[56:], crc([]byte(text)))
		n := copy(b[offset:], text)
		copy(b[512:], text[n:])
	}
	le.PutUint32(b, crc(b[4:512]))
}

// crc is lvm2's (lib/misc/crc.c, read as Go).
func crc(b []byte) uint32 {
	out := uint32(0xf597a6cf)
	for _, c := range b {
		out = out>>8 ^ crc32.IEEETable[byte(out)^c]
	}
	return out
}

package legs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/lvm"
)

// What lvm2 has changed while the leg was away it has to be told first.
func TestChangedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(g *lvm.Group, leg lvm.ID)
		text   string
	}{
		"given up": {func(g *lvm.Group, leg lvm.ID) {
			for i := range g.VG.PVs {
				if g.VG.PVs[i].ID == leg {
					g.VG.PVs[i].Status = append(g.VG.PVs[i].Status, "MISSING")
				}
			}
		}, "lvm has changed the volume group without the physical volume on sdg: vgextend --restoremissing vg /dev/sdg"},
		"old copy": {func(g *lvm.Group, leg lvm.ID) {
			f := g.Found[leg]
			f.PV.Copies = []lvm.Copy{{VG: &lvm.VG{Seqno: g.VG.Seqno - 1}}}
			g.Found[leg] = f
		}, "lvm has changed the volume group without the physical volume on sdg: vgck --updatemetadata vg"},
		"moved by pvmove": {func(g *lvm.Group, _ lvm.ID) {
			lv, _ := g.VG.LV("r1_rimage_0")
			lv.Status = append(lv.Status, "LOCKED")
		}, "finish it with pvmove(8)"},
	} {
		m := lost(t)
		s, err := m.scan(m.mapper, m.disks)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&s.groups[0], idOn(&s.groups[0], "sdg"))
		if work, err := s.back(&s.groups[0]); len(work) > 0 || err != nil || len(m.said) != 1 || !strings.Contains(m.said[0], c.text) {
			t.Errorf("%s: %d raids, %v, said %q, want %q", name, len(work), err, m.said, c.text)
		}
	}
}

// A process that ended before it had suspended anything leaves tables that are not used; one that
// ended later leaves devices that have to be resumed, the lowest first.
func TestResume(t *testing.T) {
	const note = "vg-r1_rmeta_1\nvg-r1_rimage_1\nvg-new\nvg-r1\n"
	loaded := table.Table{{Start: 0, Length: 8, Target: table.Zero{}}}
	for _, c := range []struct {
		suspended []string
		want      []string
	}{
		{nil, []string{"clear vg-r1_rimage_1"}},
		{[]string{"vg-r1"}, []string{"resume-e-c00 vg-r1_rimage_1", "resume-0-c00 vg-r1"}},
		{[]string{"vg-r1", "vg-r1_rmeta_1"}, []string{"resume-e-c00 vg-r1_rmeta_1", "resume-e-c00 vg-r1_rimage_1", "resume-0-c00 vg-r1"}},
	} {
		m := newMachine(t)
		m.all["vg-r1_rimage_1"].loaded = loaded
		for _, name := range c.suspended {
			m.all[name].info.Suspended = true
		}
		m.all["vg-r1_rimage_0"].info.Suspended = true // by another program
		if err := m.Refresher.Resume(); err != nil || len(m.done) > 0 {
			t.Errorf("without a note: %v, %q", err, m.done)
		}
		m.write(m.Note, []byte(note))
		if err := m.Refresher.Resume(); err != nil || !slices.Equal(m.done, c.want) {
			t.Errorf("suspended %q: %v, %q, want %q", c.suspended, err, m.done, c.want)
		}
		if _, err := os.Stat(m.Note); !errors.Is(err, os.ErrNotExist) || len(m.said) != len(c.want) && c.suspended != nil {
			t.Errorf("suspended %q: %v, said %q", c.suspended, err, m.said)
		}
	}
}

// A raid that cannot be resumed is resumed by each later call, before anything else, until it runs.
func TestStaysSuspended(t *testing.T) {
	m := lost(t)
	const resume = "resume-0-c00 vg-r1"
	m.sticks, m.fail = true, map[string]bool{swapped: true, resume: true}
	for _, again := range []bool{false, true} {
		m.done = nil
		if changed, err := m.Refresh(m.disks); changed || err == nil || again && !slices.Equal(m.done, []string{resume}) {
			t.Errorf("again %v: %v, %v, done %q", again, changed, err, m.done)
		}
		if _, err := os.Stat(m.Note); err != nil {
			t.Errorf("again %v: %v", again, err)
		}
	}
	if want := strings.Replace(raidRow, "253:13 253:14", "- -", 1); strings.TrimSpace(m.last.String()) != want {
		t.Errorf("the last table is %q, want %q", m.last, want)
	}
	m.fail = nil
	if changed, err := m.Refresh(m.disks); !changed || err != nil || m.all["vg-r1"].info.Suspended {
		t.Errorf("%v, %v, done %q", changed, err, m.done)
	}
	if _, err := os.Stat(m.Note); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note: %v", err)
	}
}

// idOn is the physical volume on a disk.
func idOn(g *lvm.Group, place string) lvm.ID {
	for id, f := range g.Found {
		if f.Place == place {
			return id
		}
	}
	return ""
}

package legs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// memberMachine has the volume vg/root, a member of md0 that has failed, whose disk has gone and is
// there again as sdg.
func memberMachine(t *testing.T) *machine {
	m := emptyMachine(t, "linear")
	m.attach(0, 0)
	m.activate("root")
	m.detach(0)
	m.attach(0, 6)
	m.hold("md0", "faulty,in_sync")
	return m
}

// hold has an array hold the volume. It is open once more.
func (m *machine) hold(array, state string) {
	m.Helper()
	m.write(filepath.Join(m.Sys, "class/block/dm-11/holders", array), nil)
	m.write(filepath.Join(m.Sys, "class/block", array, "md/dev-dm-11/state"), []byte(state+"\n"))
	m.all["vg-root"].info.Open++
}

func TestVolumeBelowArray(t *testing.T) {
	const load, exchange = "load vg-root", "exchange vg-root-false-0"
	for name, c := range map[string]struct {
		change func(m *machine)
		done   []string
		err    string
		said   string
	}{
		"failed":           {func(*machine) {}, []string{load, exchange}, "", "volumes: vg-root stands on the new disk of its physical volume"},
		"not noticed":      {func(m *machine) { m.all["vg-root"].info.Open = 0; m.hold("md0", "in_sync") }, nil, "array md0 has not noticed that yet", ""},
		"of two arrays":    {func(m *machine) { m.hold("md1", "in_sync") }, nil, "array md1 has not noticed that yet", ""},
		"released":         {func(m *machine) { m.remove("class/block/dm-11"); m.all["vg-root"].info.Open = 0 }, []string{load, exchange}, "", "volumes: vg-root stands"},
		"mounted":          {func(m *machine) { m.all["vg-root"].info.Open++ }, nil, "", ""},
		"below a volume":   {func(m *machine) { m.remove("class/block/md0") }, nil, "", ""},
		"old disk there":   {func(m *machine) { m.write(filepath.Join(m.Sys, "dev/block/8:0"), nil) }, nil, "stands on device 8:0, which is still there", ""},
		"no disk":          {func(m *machine) { m.detach(6) }, nil, "", ""},
		"another device":   {func(m *machine) { m.all["vg-root"].info.UUID = "CRYPT-1" }, nil, "", "warning: volumes: a leg is not taken back: volume vg-root: dm device vg-root is not the volume"},
		"other offset":     {func(m *machine) { m.relayout("vg-root", 4096) }, nil, "", "its layout in the kernel is not that of its metadata"},
		"to be reloaded":   {func(m *machine) { m.relayout("vg-root", 4096); m.write(filepath.Join(m.Sys, "dev/block/8:48"), nil) }, nil, "", ""},
		"id seen twice":    {func(m *machine) { m.attach(0, 7) }, nil, "", ""},
		"locked":           {func(m *machine) { m.lock() }, nil, "lvm is at work on it", ""},
		"cannot be loaded": {func(m *machine) { m.fail = map[string]bool{load: true} }, []string{load, "clear vg-root"}, "have volume vg-root stand on its new disk: ", ""},
		"cannot be exchanged": {
			func(m *machine) { m.fail = map[string]bool{exchange: true} },
			[]string{load, exchange, "clear vg-root"},
			"have volume vg-root stand on its new disk: ", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := memberMachine(t)
			before := m.all["vg-root"].now.String()
			c.change(m)
			changed, err := m.Refresh(m.disks)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			moved := slices.Equal(c.done, []string{load, exchange})
			if changed != moved || !slices.Equal(m.done, c.done) {
				t.Errorf("changed %v, done %q", changed, m.done)
			}
			now := m.all["vg-root"].now.String()
			if moved && now != strings.ReplaceAll(before, "8:0", "8:96") || !moved && name != "other offset" && name != "to be reloaded" && now != before {
				t.Errorf("table %q, before %q", now, before)
			}
			if text := strings.Join(m.said, "\n"); !strings.Contains(text, c.said) || c.said == "" && text != "" {
				t.Errorf("said %q, want %q", text, c.said)
			}
			if _, err := os.Stat(m.Note); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the note is there: %v", err)
			}
			if again, _ := m.Refresh(m.disks); moved && (again || len(m.done) != 2) {
				t.Errorf("again: %v, %q", again, m.done)
			}
		})
	}
	m := memberMachine(t)
	m.hold("md1", "in_sync")
	if _, err := m.Refresh(m.disks); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("%v is not temporary", err)
	}
}

func (m *machine) remove(name string) {
	m.Helper()
	if err := os.RemoveAll(filepath.Join(m.Sys, name)); err != nil {
		m.Fatal(err)
	}
}

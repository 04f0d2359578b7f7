package rootfs

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/switchroot"
)

// rootWith makes a root with this fstab.
func rootWith(t *testing.T, fstab string) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, map[string]string{filepath.Join(dir, "etc/fstab"): fstab})
	return dir
}

// sysfsOf makes a sysfs and a devtmpfs with the disks of a machine, each with a partition.
func sysfsOf(t *testing.T, m *Storage) paths {
	t.Helper()
	p := paths{t.TempDir(), t.TempDir()}
	for _, d := range m.allDisks() {
		fakeDisk(t, p.sys, d.Name, 1)
		writeFiles(t, map[string]string{filepath.Join(p.dev, d.Name): strings.Repeat("\x00", 8192), filepath.Join(p.dev, d.Name+"1"): ""})
	}
	return p
}

// left lists the LUNs that are attached, and fails unless they are counted.
func left(t *testing.T, m *Storage, f *fakeLUNs) string {
	t.Helper()
	var got []string
	for i, units := range f.have {
		for _, u := range units {
			got = append(got, fmt.Sprintf("%d:%d", i, u.Number))
		}
	}
	for _, d := range m.allDisks() {
		i := m.sessionOf(d)
		if !slices.ContainsFunc(f.have[i], func(u blockdev.LUN) bool { return u.Number == d.LUN.Number }) {
			t.Errorf("lun %d of session %d is counted, and was detached", d.LUN.Number, i)
		}
	}
	return strings.Join(got, " ")
}

// The LUNs on which root was not found are detached. Those stay that have root, that the first scan
// attached if that has root or is of another target, that were attached by hand, that are in use,
// that fstab names, and of a session those from the first one on that cannot be detached.
func TestDetach(t *testing.T) {
	named := func(name string) string { return "/dev/" + name + "1 /srv ext4 defaults 0 0\n" }
	for _, tt := range []struct {
		name  string
		luns  [][]uint64
		root  lunOf
		fstab string
		edit  func(*Storage, *fakeLUNs)
		want  string // LUNs that stay
	}{
		{"root on the last", [][]uint64{forty(), {0, 1}}, lunOf{0, 39}, "", nil, "0:39 1:0"},
		{"root on the second target", [][]uint64{{0, 1}, {0, 1, 2}}, lunOf{1, 2}, "", nil, "0:0 1:2"},
		{"no search", [][]uint64{forty(), {0, 1}}, lunOf{0, 0}, "", nil, "0:0 1:0"},
		{"/usr is another", [][]uint64{forty()}, lunOf{0, 39}, "", func(_ *Storage, f *fakeLUNs) { f.used = append(f.used, "sdb") }, "0:1 0:39"},
		{"fstab names one", [][]uint64{{0, 1, 2, 3}}, lunOf{0, 3}, named("sdc"), nil, "0:2 0:3"},
		{"fstab names the first", [][]uint64{{0, 1, 2, 3}}, lunOf{0, 3}, named("sda"), nil, "0:0 0:3"},
		{"root of any disk", [][]uint64{{0, 1, 2}}, lunOf{0, 2}, "", func(m *Storage, _ *fakeLUNs) { m.Spec.Root.AnyDisk.V = true }, "0:0 0:1 0:2"},
		{"all there before", [][]uint64{{1, 2, 3}}, lunOf{0, 3}, "", func(m *Storage, _ *fakeLUNs) { m.attachedBySearch = nil }, "0:1 0:2 0:3"},
		{"one that was attached by hand", [][]uint64{{0, 1, 2, 3}}, lunOf{0, 3}, "", func(m *Storage, _ *fakeLUNs) { delete(m.attachedBySearch, lunOf{0, 1}) }, "0:1 0:3"},
		{"one that was scanned first later", [][]uint64{{0, 1, 2, 3}}, lunOf{0, 3}, "", func(m *Storage, _ *fakeLUNs) { m.disks, m.late = append(m.disks, m.late[0]), m.late[1:] }, "0:3"},
		{"one of another target that was scanned first later", [][]uint64{{0, 1}, {0, 1, 2}}, lunOf{1, 2}, "", func(m *Storage, _ *fakeLUNs) {
			i := slices.IndexFunc(m.late, func(d *blockdev.Device) bool { return m.sessionOf(d) == 0 && d.LUN.Number == 1 })
			m.disks, m.late = append(m.disks, m.late[i]), slices.Delete(m.late, i, i+1)
		}, "0:0 0:1 1:2"},
		{"session down", [][]uint64{{0, 1, 2, 3}, {0, 1, 2}}, lunOf{1, 2}, "", func(_ *Storage, f *fakeLUNs) {
			f.down = map[int]error{0: sequence.AsRetryable(errors.New("down"))}
		}, "0:0 0:1 0:2 0:3 1:2"},
		{"not ready", [][]uint64{{0, 1, 2}}, lunOf{0, 2}, "", func(m *Storage, f *fakeLUNs) {
			m.late, f.have[0][1].Disk = m.late[1:], ""
		}, "0:1 0:2"},
		{"no size", [][]uint64{{0, 1, 2}}, lunOf{0, 2}, "", func(m *Storage, _ *fakeLUNs) { m.late = m.late[1:] }, "0:2"},
		{"no size, and fstab names what was not found", [][]uint64{{0, 1, 2, 3}}, lunOf{0, 3}, "UUID=1 /srv ext4 defaults 0 0\n", func(m *Storage, _ *fakeLUNs) {
			m.late = m.late[1:]
		}, "0:1 0:3"},
	} {
		f := fakeLUNs{luns: tt.luns}
		m := lunMachine(t, &f)
		root := Volume{Device: partitionOf(m.disks[0], 2)}
		if tt.root.lun != tt.luns[tt.root.session][0] {
			if err := m.newRootSearch("root").onOtherLUNs(t.Context(), &notFoundError{}, finding(m, &f, tt.root.session, tt.root.lun)); err != nil {
				t.Fatal(tt.name, err)
			}
			root.Device = partitionOf(m.late[len(m.late)-1], 2)
		}
		f.used = append(f.used, root.Disks()[0].Name)
		if tt.edit != nil {
			tt.edit(m, &f)
		}
		f.events = nil
		m.detachOthers(t.Context(), root, rootWith(t, tt.fstab), sysfsOf(t, m))
		if got := left(t, m, &f); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if tries := strings.Count(strings.Join(f.events, " "), "stays"); tries != len(f.down) {
			t.Errorf("%s: %v: a session that is down was tried %d times", tt.name, f.events, tries)
		}
	}
}

// If fstab cannot be read, nothing is detached, and a warning has the reason.
func TestDetachWithoutFstab(t *testing.T) {
	f := fakeLUNs{luns: [][]uint64{{0, 1, 2}}}
	m, log := withSessions(1)
	scanned(t, m, &f)
	if err := m.newRootSearch("root").onOtherLUNs(t.Context(), &notFoundError{}, finding(m, &f, 0, 2)); err != nil {
		t.Fatal(err)
	}
	root := Volume{Device: partitionOf(m.late[1], 2)}
	dir := t.TempDir()
	writeFiles(t, map[string]string{filepath.Join(dir, "etc/fstab/x"): ""})
	m.detachOthers(t.Context(), root, dir, sysfsOf(t, m))
	if got := left(t, m, &f); got != "0:0 0:1 0:2" {
		t.Errorf("left are %s", got)
	}
	if text := strings.Join(log.Lines(), "\n"); !strings.Contains(text, "warning the LUNs on which root was looked for are not detached: read etc/fstab: ") {
		t.Errorf("logged %q", text)
	}
}

// The disks that fstab names stay, and those that may hold a device that it names and that was not
// found.
func TestNamedByFstab(t *testing.T) {
	p := paths{t.TempDir(), t.TempDir()}
	m, _ := withSessions(1)
	for i, name := range []string{"sda", "sdb", "sdc", "sdd"} {
		m.disks = append(m.disks, ourDisk(name, 0, uint64(i)))
	}
	for name, head := range map[string]string{"sda": "nothing", "sdb": "LUKS\xba\xbe\x00\x02", "sdc": ""} { // sdd does not exist any more
		fakeDisk(t, p.sys, name, 1)
		body := make([]byte, 8<<20)
		copy(body, head)
		if name == "sdc" {
			copy(body[4096-10:], "SWAPSPACE2")
			copy(body[1024:], "\x01\x00\x00\x00\xff\x01\x00\x00\x00\x00\x00\x00UUUUUUUUUUUUUUUU")
		}
		writeFiles(t, map[string]string{filepath.Join(p.dev, name): string(body), filepath.Join(p.dev, name+"1"): string(body[:1<<20])})
	}
	for fstab, want := range map[string]string{
		"":                                   "",
		"proc /proc proc defaults 0 0\n":     "",
		"/dev/sda1 /srv ext4 defaults 0 0\n": "sda",
		"/dev/mapper/v /srv ext4 defaults\n": "sdb sdd",
		"UUID=1 /srv ext4 defaults 0 0\n":    "sdb sdd",
		"UUID=55555555-5555-5555-5555-555555555555 none swap sw 0 0\n": "sdc",
	} {
		got, _ := m.namedBy(t.Context(), p, switchroot.ParseFstab([]byte(fstab)))
		slices.Sort(got)
		if text := strings.Join(slices.Compact(got), " "); text != want {
			t.Errorf("%q: %q, want %q", fstab, text, want)
		}
	}
}

// The error of a search for /usr names it.
func TestUsrIsNamed(t *testing.T) {
	m, _ := withSessions(0)
	want, _ := bootspec.ParseDevice("UUID=1")
	_, err := m.findUsr(t.Context(), want, true)
	if got := fmt.Sprint(err); got != "/usr UUID=1: no such device on the disks of the iSCSI sessions" {
		t.Error(got)
	}
	if got := sequence.Hint(err); got != "correct /usr in root's etc/fstab: there is no disk" {
		t.Error(got)
	}
	if p := m.newRootSearch("/usr"); p.retry.Step != "/usr" {
		t.Error(p.retry.Step)
	}
}

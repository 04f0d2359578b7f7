package array

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// arrayCase is an array as mdadm makes it.
type arrayCase struct {
	level    string
	disks    int
	missing  int // the last ones are left out
	words    []string
	dirty    bool // a resync is pending
	metadata string
}

const bitmap, clean = "--bitmap=internal", "--assume-clean"

// levels: each is started and stopped, whole and degraded, and its members stay as they are.
func (g *guest) levels() {
	for _, c := range []arrayCase{
		{level: "raid1", disks: 2, words: []string{clean}},
		{level: "raid1", disks: 2, words: []string{clean, bitmap}, metadata: "1.0"},
		{level: "raid1", disks: 2, words: []string{clean, bitmap}, metadata: "1.1"},
		{level: "raid1", disks: 2, missing: 1, words: []string{clean, bitmap}},
		{level: "raid1", disks: 2, dirty: true},
		{level: "raid1", disks: 2, dirty: true, words: []string{bitmap}},
		{level: "raid4", disks: 3, words: []string{clean}},
		{level: "raid5", disks: 3, words: []string{clean, bitmap}},
		{level: "raid5", disks: 3, missing: 1, words: []string{clean}},
		{level: "raid6", disks: 4, words: []string{clean}},
		{level: "raid6", disks: 4, missing: 2, words: []string{clean, bitmap}},
		{level: "raid6", disks: 4, dirty: true},
		{level: "raid10", disks: 4, words: []string{clean}},
		{level: "raid10", disks: 4, missing: 1, words: []string{clean, bitmap}},
		{level: "raid0", disks: 2},
		{level: "linear", disks: 2},
	} {
		g.level(c)
	}
}

func (g *guest) level(c arrayCase) {
	what := fmt.Sprintf("%+v", c)
	if c.metadata == "" {
		c.metadata = "1.2"
	}
	g.make(c)
	before := g.contents()
	minor := int(c.metadata[2] - '0')
	g.check(g.Start("md127", minor, g.numbers(g.loops[:c.disks-c.missing])))
	s := g.state()
	want := "read-auto"
	if c.level == "raid0" || c.level == "linear" {
		want = "clean"
	}
	if s.ArrayState != want || s.Level != c.level || s.Metadata != c.metadata || s.Disks != c.disks || s.Degraded != c.missing || len(s.Members) != c.disks-c.missing || s.Sectors < 8192 || s.Done != 0 {
		g.Errorf("%s: %+v", what, s)
	}
	for i, m := range s.Members {
		if "/dev/"+m.Device != g.loops[i] || m.Number != g.number(g.loops[i]) || m.Slot != i || !m.Is("in_sync") {
			g.Errorf("%s: member %+v", what, m)
		}
	}
	if c.dirty {
		g.detail("State : clean, resyncing (PENDING)")
	}
	if list, err := g.List(); err != nil || !slices.Equal(list, []string{"md127"}) {
		g.Errorf("%s: list %q, %v", what, list, err)
	}
	if _, err := os.ReadFile("/dev/md127"); err != nil {
		g.Errorf("%s: %v", what, err)
	}
	g.stopped()
	g.same(what, before)
}

// make makes an array of the first loop devices. A resync that is slow is pending still when the
// array is stopped.
func (g *guest) make(c arrayCase) {
	g.Helper()
	const speed = "/proc/sys/dev/raid/speed_limit_"
	if c.dirty {
		g.check(errors.Join(writeText(speed+"min", "1"), writeText(speed+"max", "1")))
	}
	words := slices.Concat([]string{"--metadata=" + c.metadata}, c.words, g.loops[:c.disks])
	g.create(c.level, words...)
	g.check(errors.Join(writeText(speed+"max", "200000"), writeText(speed+"min", "1000")))
}

// refusals: an array that is not started leaves nothing, and what it failed for is the error.
func (g *guest) refusals() {
	g.create("raid1", g.loops[3], g.loops[4], clean)
	g.make(arrayCase{level: "raid6", disks: 4, dirty: true, metadata: "1.2"})
	none := Number{250, 77}
	all := g.numbers(g.loops[:4])
	held, err := os.OpenFile(g.loops[3], os.O_RDWR|unix.O_EXCL, 0)
	g.check(err)
	for name, c := range map[string]struct{ err, want error }{
		"in use":                  {g.start(0, 1, 2, 3), unix.EBUSY},
		"a member is missing":     {g.Start("md127", 2, []Number{all[0], none}), unix.ENXIO},
		"dirty and degraded":      {g.start(0, 1, 2), unix.EIO},
		"another array's":         {g.start(0, 1, 4), unix.EINVAL},
		"another version":         {g.Start("md127", 1, all), unix.EINVAL},
		"twice":                   {g.start(0, 0), unix.EBUSY},
		"no such version":         {g.Start("md127", 9, all), unix.EINVAL},
		"no member":               {g.start(), unix.EINVAL},
		"not a name":              {g.Start("sda", 2, nil), errName},
		"stop of none":            {g.Stop("md127"), fs.ErrNotExist},
		"state of none":           {second(g.State("md127")), fs.ErrNotExist},
		"re-add to none":          {g.ReAdd("md127", none, 0, 0), fs.ErrNotExist},
		"add to none":             {g.Add("md127", none), fs.ErrNotExist},
		"remove failed from none": {g.RemoveFailed("md127"), fs.ErrNotExist},
	} {
		if !errors.Is(c.err, c.want) {
			g.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
	g.check(held.Close())
	g.nothingLeft()
	for level, want := range map[string]error{"raid0": unix.EINVAL, "linear": unix.EIO} {
		g.create(level, g.loops[0], g.loops[1])
		if err := g.start(1); !errors.Is(err, want) {
			g.Errorf("half of %s: %v, want %v", level, err, want)
		}
		g.nothingLeft()
	}
	g.noModule()
}

// noModule: what is not loaded is named.
func (g *guest) noModule() {
	g.create("raid5", g.loops[0], g.loops[1], g.loops[2], clean)
	g.check(unix.DeleteModule("raid456", 0)) // and nothing here loads it
	var missing *ModuleError
	if err := g.start(0, 1, 2); !errors.As(err, &missing) || missing.Module != "raid456" || !errors.Is(err, unix.EINVAL) {
		g.Errorf("no module: %v", err)
	}
	g.nothingLeft()
}

func second[T any](_ T, err error) error { return err }

// powerCut: a bitmap that has changes, and a superblock that is not clean, stay as well.
func (g *guest) powerCut() {
	g.create("raid1", g.loops[0], g.loops[1], clean, bitmap, "--bitmap-chunk=64K")
	g.check(g.start(0, 1))
	// Not in the midst of an update of the superblocks.
	g.check(writeText(g.md("md127")+"/safe_mode_delay", "600"))
	f := g.use()
	g.write(f, 1<<20, 'a')
	then := g.contents()
	g.check(f.Close())
	g.stopped()
	for i, b := range then {
		g.check(os.WriteFile(g.files[i], b, 0o600))
	}
	g.check(g.start(0, 1))
	g.detail("State : clean")
	g.stopped()
	g.same("after a power cut", then)
}

// late: a member comes when the array runs without it. It is rebuilt when something is written, and
// not before.
func (g *guest) late() {
	for minor, metadata := range []string{"1.0", "1.1", "1.2"} {
		g.make(arrayCase{level: "raid1", disks: 2, words: []string{clean, bitmap, "--bitmap-chunk=64K"}, metadata: metadata})
		before := g.contents()
		second := g.number(g.loops[1])
		again := func() {
			g.check(g.Start("md127", minor, g.numbers(g.loops[:1])))
			g.check(g.ReAdd("md127", second, 1, 1))
		}
		again()
		g.check(g.ReAdd("md127", second, 1, 1)) // it is there
		if s := g.state(); s.ArrayState != "read-auto" || s.Degraded != 1 || len(s.Members) != 2 {
			g.Errorf("%s: %+v", metadata, s)
		}
		g.stopped()
		g.same("late member "+metadata, before)
		again()
		f := g.use()
		g.write(f, 1<<20, 'a')
		g.whole()
		g.check(f.Close())
		g.stopped()
		g.sameData(g.files[0], g.files[1])
	}
	g.stale()
}

// stale: the kernel does not start an array with a member that was away while it was written to.
func (g *guest) stale() {
	g.check(g.start(0))
	f := g.use()
	g.write(f, 1<<20, 'b')
	g.check(f.Close())
	g.stopped()
	before := g.contents()
	if err := g.start(0, 1); !errors.Is(err, errLeftOut) {
		g.Error(err)
	}
	g.nothingLeft()
	g.same("stale member", before)
}

// lost: a member goes while the array is in use, and comes back as another device.
func (g *guest) lost() {
	first := g.disk()
	g.create("raid1", g.loops[0], "--write-mostly", "/dev/"+first, clean, bitmap, "--bitmap-chunk=64K")
	g.check(g.Start("md127", 2, g.numbers([]string{g.loops[0], "/dev/" + first})))
	if err := g.start(); !errors.Is(err, unix.EEXIST) {
		g.Error(err)
	}
	f := g.use()
	if err := g.Stop("md127"); !errors.Is(err, unix.EBUSY) {
		g.Error(err)
	}
	g.write(f, 0, 'a')
	g.lose(first)
	g.write(f, 1<<20, 'b')
	g.until("a member is faulty", func() bool { return g.state().Degraded == 1 })
	back := g.find(first)
	number := g.number("/dev/" + back)
	if err := g.ReAdd("md127", number, 1, 1); !errors.Is(err, unix.EBUSY) {
		g.Error(err)
	}
	if m := g.state().Members; len(m) != 2 || m[1].Device != "" || !m[1].Is("faulty") {
		g.Errorf("%+v", m)
	}
	g.check(g.RemoveFailed("md127"))
	for _, other := range g.loops[3:] { // of another array, which the kernel would take
		if err := g.ReAdd("md127", g.number(other), 1, 1); !errors.Is(err, ErrNotMember) {
			g.Error(err)
		}
		if err := g.Add("md127", g.number(other)); !errors.Is(err, ErrNotMember) {
			g.Error(err)
		}
	}
	sectors := -g.written(back)
	g.check(g.ReAdd("md127", number, 1, 1))
	g.whole()
	if sectors += g.written(back); sectors < 128 || sectors > 1024 { // 64 KiB, and superblocks
		g.Errorf("re-added: %d sectors were written", sectors)
	}
	g.detail("State : clean", "Failed Devices : 0", "active sync writemostly /dev/"+back)
	g.tooOld(f, back)
}

// tooOld: a member goes without notice, and without a bitmap it is rebuilt when it comes back.
func (g *guest) tooOld(f *os.File, lost string) {
	g.lose(lost)
	if m := g.state().Members; len(m) != 2 || m[1].Device != "" || m[1].Is("faulty") {
		g.Errorf("%+v", m)
	}
	g.check(g.RemoveFailed("md127"))
	g.mdadm("--grow", "--bitmap=none", "/dev/md127")
	g.write(f, 2<<20, 'c')
	back := g.find(lost)
	number := g.number("/dev/" + back)
	if err := g.ReAdd("md127", number, 1, 1); !errors.Is(err, ErrTooOld) || !errors.Is(err, unix.EINVAL) {
		g.Error(err)
	}
	sectors := -g.written(back)
	g.check(g.Add("md127", number))
	g.whole()
	if sectors += g.written(back); sectors < int(g.state().Sectors) {
		g.Errorf("rebuilt: %d sectors were written", sectors)
	}
	g.detail("State : clean", "Failed Devices : 0", "active sync writemostly /dev/"+back)
	g.check(f.Close())
	g.stopped()
	g.sameData(g.files[0], "/dev/"+back)
}

// disk waits for a SCSI disk but the one named, and returns its name, "sdb".
func (g *guest) disk(but ...string) string {
	g.Helper()
	var names []string
	g.until("a disk", func() bool {
		var err error
		names, err = filepath.Glob("/dev/sd?")
		g.check(err)
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(but, filepath.Base(n)) })
		if len(names) == 0 {
			return false
		}
		f, err := os.Open(names[0]) // the node is there before the disk can be opened
		return err == nil && f.Close() == nil
	})
	return filepath.Base(names[0])
}

// lose removes a disk from the kernel, as the end of a session does.
func (g *guest) lose(disk string) {
	g.Helper()
	g.check(writeText("/sys/block/"+disk+"/device/delete", "1"))
}

// find makes the kernel find the disk that was lost, and returns its new name.
func (g *guest) find(lost string) string {
	g.Helper()
	hosts, err := filepath.Glob("/sys/class/scsi_host/*/scan")
	g.check(err)
	for _, h := range hosts {
		g.check(writeText(h, "- - -"))
	}
	return g.disk(lost)
}

// sameData: two members of a mirror have the same data. It begins before 1 MiB, and superblocks of
// version 1.0 are in the last MiB.
func (g *guest) sameData(paths ...string) {
	g.Helper()
	var data []string
	for _, path := range paths {
		b, err := os.ReadFile(path)
		g.check(err)
		data = append(data, string(b[1<<20:7<<20]))
	}
	if data[0] != data[1] {
		g.Error("the members differ")
	}
}

// Without md_mod there is nothing to start an array with.
func TestNoModule(t *testing.T) {
	var missing *ModuleError
	err := Paths{Sys: t.TempDir(), Dev: t.TempDir()}.Start("md127", 2, nil)
	if !errors.As(err, &missing) || missing.Module != "md_mod" || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

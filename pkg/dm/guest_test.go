package dm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
)

func TestMain(m *testing.M) {
	vmtest.Main()
	os.Exit(m.Run())
}

// modules are those of the targets, and of the devices below them: /dev/ram0 to 15, of 16 MiB.
var modules = []string{"dm_mod", "dm_raid", "raid0", "raid1", "raid10", "raid456", "dm_thin_pool", "dm_zero", "brd"}

// A real kernel takes the tables and gives them back; what it refuses is the error that is
// documented.
func TestKernel(t *testing.T) {
	vmtest.Run(t, vmtest.Machine{Modules: modules}, func() {
		loads := 0
		c, err := Open(func() error { loads++; return errors.ErrUnsupported })
		if err != nil || loads != 1 {
			t.Fatal(err, loads)
		}
		g := &guest{T: t, Control: c}
		g.nodeIsMade()
		if got, err := c.List(); err != nil || len(got) != 0 {
			t.Errorf("empty list: %v, %v", got, err)
		}
		g.targets()
		g.raid()
		g.thin()
		g.swap()
		g.refusals()
		g.many()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

type guest struct {
	*testing.T
	*Control
}

// ram is a device of brd (drivers/block/brd.c: RAMDISK_MAJOR).
func ram(minor uint32) table.Number { return table.Number{Major: 1, Minor: minor} }

func ramAt(minor uint32) *table.Number { n := ram(minor); return &n }

// made makes a device and looks at it in each way; the caller removes it.
func (g *guest) made(name string, want table.Table, deps ...table.Number) table.Number {
	g.Helper()
	info, err := g.Activate(name, "LVM-"+name, want, Hidden, 0)
	if err != nil {
		g.Fatal(err)
	}
	again, err := g.Info(name)
	if err != nil || !reflect.DeepEqual(again, info) || info.Name != name || info.UUID != "LVM-"+name || !info.Active || info.Suspended || info.Inactive || info.ReadOnly || info.Open != 0 || info.Targets != uint32(len(want)) {
		g.Errorf("%s: %+v, then %+v, %v", name, info, again, err)
	}
	if got, err := g.Table(name); err != nil || !reflect.DeepEqual(got, want) {
		g.Errorf("%s: table\n%v%v, want\n%v", name, got, err, want)
	}
	if got, err := g.TableText(name); err != nil || got != want.String() {
		g.Errorf("%s: text of the table\n%s%v, want\n%v", name, got, err, want)
	}
	if got, err := g.Deps(name); err != nil || !sameNumbers(got, deps) {
		g.Errorf("%s: stands on %v, %v, want %v", name, got, err, deps)
	}
	if list, err := g.List(); err != nil || !slices.Contains(list, Entry{name, info.Number}) {
		g.Errorf("%s: list %v, %v", name, list, err)
	}
	if size, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%s/size", info.Number)); err != nil || string(bytes.TrimSpace(size)) != fmt.Sprint(want.Sectors()) {
		g.Errorf("%s: size %q, %v, want %d", name, size, err, want.Sectors())
	}
	return info.Number
}

func sameNumbers(a, b []table.Number) bool {
	order := func(x, y table.Number) int { return int(x.Major<<20|x.Minor) - int(y.Major<<20|y.Minor) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

func (g *guest) remove(names ...string) {
	g.Helper()
	for _, name := range names {
		if err := g.Remove(name, 0); err != nil {
			g.Error(err)
		}
	}
}

// nodeIsMade: without devtmpfs nothing makes the node of the control.
func (g *guest) nodeIsMade() {
	c, err := open(g.TempDir(), nil)
	if err != nil {
		g.Error(err)
		return
	}
	if _, err := c.List(); err != nil {
		g.Error(err)
	}
	_ = c.Close()
}

// targets: what is written to a device is where the table leads it.
func (g *guest) targets() {
	number := g.made("linear", table.Table{{Start: 0, Length: 8, Target: table.Zero{}}, {Start: 8, Length: 64, Target: table.Linear{Dev: ram(0), Offset: 16}}}, ram(0))
	if err := os.WriteFile(node(number), append(make([]byte, 4096), "a mark"...), 0); err != nil {
		g.Error(err)
	}
	unix.Sync()
	if below := read(g, "/dev/ram0", 16*512, 6); below != "a mark" {
		g.Errorf("below the linear device is %q", below)
	}
	g.made("striped", table.Table{{Start: 0, Length: 256, Target: table.Striped{Chunk: 64, Stripes: []table.Area{{Dev: ram(1), Offset: 0}, {Dev: ram(2), Offset: 64}}}}}, ram(1), ram(2))
	g.made("error", table.Table{{Start: 0, Length: 8, Target: table.Error{}}})
	g.remove("linear", "striped", "error")
}

func node(n table.Number) string { return fmt.Sprintf("/dev/dm-%d", n.Minor) }

func read(g *guest, path string, at int64, n int) string {
	g.Helper()
	f, err := os.Open(path)
	if err != nil {
		g.Error(err)
		return ""
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, at); err != nil {
		g.Error(err)
	}
	return string(b)
}

// raid: metadata devices that are zero are new legs.
func (g *guest) raid() {
	legs := []table.Leg{{Meta: ramAt(3), Data: ramAt(4)}, {Meta: ramAt(5), Data: ramAt(6)}}
	g.made("mirror", table.Table{{Start: 0, Length: 16384, Target: &table.Raid{Level: "raid1", RegionSectors: 1024, Legs: legs}}}, ram(3), ram(4), ram(5), ram(6))
	const synchronized = "raid1 2 AA 16384/16384 idle "
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		lines, err := g.Status("mirror")
		if err != nil || len(lines) != 1 || lines[0].Type != "raid" || time.Now().After(deadline) {
			g.Fatalf("status %v, %v", lines, err)
		}
		if strings.HasPrefix(lines[0].Text, synchronized) {
			break
		}
	}
	g.waits("mirror")
	g.remove("mirror")
	legs[0] = table.Leg{} // it runs without one
	g.made("mirror", table.Table{{Start: 0, Length: 16384, Target: &table.Raid{Level: "raid1", RegionSectors: 1024, Legs: legs}}}, ram(5), ram(6))
	g.remove("mirror")
	for _, superblock := range []string{"/dev/ram3", "/dev/ram5"} { // a leg of a raid10 has to have one
		if err := os.WriteFile(superblock, make([]byte, 4096), 0); err != nil {
			g.Error(err)
		}
	}
	for i, r := range []*table.Raid{
		{Level: "raid10", ChunkSectors: 128, NoSync: true, RegionSectors: 1024, Copies: 2, Legs: []table.Leg{{Meta: ramAt(3), Data: ramAt(4)}, {Meta: ramAt(5), Data: ramAt(6)}}},
		{Level: "raid0", ChunkSectors: 128, Legs: []table.Leg{{Data: ramAt(3)}, {Data: ramAt(4)}}},
		{Level: "raid5_ls", ChunkSectors: 128, NoSync: true, RegionSectors: 1024, Legs: []table.Leg{{Data: ramAt(3)}, {Data: ramAt(4)}, {Data: ramAt(5)}}},
		{Level: "raid6_zr", ChunkSectors: 128, Sync: true, Legs: []table.Leg{{Data: ramAt(3)}, {Data: ramAt(4)}, {Data: ramAt(5)}, {Data: ramAt(6)}, {Data: ramAt(7)}}},
	} {
		name := fmt.Sprint("raid-", i)
		var deps []table.Number
		for _, l := range r.Legs {
			deps = append(deps, *l.Data)
			if l.Meta != nil {
				deps = append(deps, *l.Meta)
			}
		}
		g.made(name, table.Table{{Start: 0, Length: 12288, Target: r}}, deps...)
		g.remove(name)
	}
}

// waits: a check of a raid is an event, and so was its synchronization.
func (g *guest) waits(name string) {
	before, err := g.Wait(name, 0)
	if err != nil || before.Event == 0 || before.Name != name {
		g.Fatalf("%+v, %v", before, err)
	}
	type result struct {
		Info
		error
	}
	done := make(chan result, 1)
	go func() {
		info, err := g.Wait(name, before.Event)
		done <- result{info, err}
	}()
	if _, err := g.Message(name, 0, "check"); err != nil {
		g.Error(err)
	}
	select {
	case r := <-done:
		if r.error != nil || r.Event <= before.Event {
			g.Errorf("after event %d: %+v, %v", before.Event, r.Info, r.error)
		}
	case <-time.After(time.Minute):
		g.Error("no event of a check")
	}
	if _, err := g.Wait("no-such", 0); !errors.Is(err, unix.ENXIO) {
		g.Errorf("wait for no device: %v", err)
	}
}

// thin: a pool on zeroed metadata is new, and makes devices by message.
func (g *guest) thin() {
	pool := g.made("pool", table.Table{{Start: 0, Length: 32768, Target: &table.ThinPool{Meta: ram(8), Data: ram(9), BlockSectors: 128, SkipZeroing: true, ErrorIfNoSpace: true}}}, ram(8), ram(9))
	for _, text := range []string{"create_thin 7", "set_transaction_id 0 5"} {
		if answer, err := g.Message("pool", 0, text); err != nil || answer != "" {
			g.Errorf("message %s: %q, %v", text, answer, err)
		}
	}
	if _, err := g.Message("pool", 0, "create_thin 7"); !errors.Is(err, unix.EEXIST) {
		g.Errorf("create_thin again: %v", err)
	}
	// Statistics are those of the last commit: a status without NoFlush would commit, and this
	// package's does not.
	if lines, err := g.Status("pool"); err != nil || len(lines) != 1 {
		g.Errorf("status %v, %v", lines, err)
	} else if text := lines[0].Text; !regexp.MustCompile("^5 [0-9]+/4096 [0-9]+/256 - rw [a-z_]+ [a-z_]+ - ").MatchString(text) {
		g.Errorf("status %q", text)
	}
	g.made("thin", table.Table{{Start: 0, Length: 1 << 30, Target: table.Thin{Pool: pool, ID: 7}}}, pool)
	g.made("origin", table.Table{{Start: 0, Length: 2048, Target: table.Thin{Pool: pool, ID: 7, Origin: ramAt(10)}}}, pool, ram(10))
	g.remove("origin", "thin", "pool")
}

// swap: a device that is in use gets another table.
func (g *guest) swap() {
	linear := func(n uint32) table.Table {
		return table.Table{{Start: 0, Length: 64, Target: table.Linear{Dev: ram(n)}}}
	}
	number := g.made("swap", linear(11), ram(11))
	f, err := os.Open(node(number))
	if err != nil {
		g.Fatal(err)
	}
	if err := g.Load("swap", linear(12), ReadOnly); err != nil {
		g.Error(err)
	}
	if err := g.Suspend("swap", NoFlush|SkipLockFS); err != nil {
		g.Error(err)
	}
	if info, err := g.Info("swap"); err != nil || !info.Suspended || !info.Inactive || !info.Active || info.Open != 1 || info.ReadOnly {
		g.Errorf("suspended: %+v, %v", info, err)
	}
	if info, err := g.Resume("swap", 0, 0); err != nil || info.Suspended || info.Inactive || !info.ReadOnly {
		g.Errorf("resumed: %+v, %v", info, err)
	}
	if got, err := g.Table("swap"); err != nil || !reflect.DeepEqual(got, linear(12)) {
		g.Errorf("table %v, %v", got, err)
	}
	g.exchange(linear(12), linear(13))
	if err := g.Remove("swap", 0); !errors.Is(err, unix.EBUSY) {
		g.Errorf("remove of an open device: %v", err)
	}
	if err := g.Remove("swap", Deferred); err != nil {
		g.Error(err)
	}
	if info, err := g.Info("swap"); err != nil || !info.Deferred {
		g.Errorf("deferred: %+v, %v", info, err)
	}
	_ = f.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // the last close removes it in a work queue
		if _, err := g.Info("swap"); errors.Is(err, unix.ENXIO) {
			break
		} else if time.Now().After(deadline) {
			g.Fatal("the device is there: ", err)
		}
	}
}

// exchange: after an error the device goes on with its old table.
func (g *guest) exchange(old, fresh table.Table) {
	swap := Change{Name: "swap", Old: old, ReadOnly: true, Hold: true}
	for _, c := range []struct {
		changes []Change
		err     error
		want    table.Table
	}{
		{[]Change{{Name: "no-such", Old: old, Hold: true}, swap}, unix.ENXIO, old},
		{[]Change{swap}, nil, fresh},
	} {
		if err := g.Load("swap", fresh, ReadOnly); err != nil {
			g.Error(err)
		}
		if err := g.Exchange(c.changes); !errors.Is(err, c.err) {
			g.Errorf("exchange: %v, want %v", err, c.err)
		}
		got, err := g.Table("swap")
		if info, _ := g.Info("swap"); err != nil || !reflect.DeepEqual(got, c.want) || info.Suspended || info.Inactive || !info.ReadOnly {
			g.Errorf("exchange: table %v, %v, want %v, state %+v", got, err, c.want, info)
		}
	}
}

func (g *guest) refusals() {
	zero := table.Table{{Start: 0, Length: 8, Target: table.Zero{}}}
	g.made("one", zero)
	missing := table.Table{{Start: 0, Length: 8, Target: table.Linear{Dev: table.Number{Major: 250, Minor: 77}}}}
	large := table.Table{{Start: 0, Length: 1 << 30, Target: table.Linear{Dev: ram(0)}}}
	for name, c := range map[string]struct{ err, want error }{
		"same name":       {second(g.Create("one", "LVM-two")), unix.EEXIST},
		"same uuid":       {second(g.Create("two", "LVM-one")), unix.EEXIST},
		"no such device":  {second(g.Info("two")), unix.ENXIO},
		"remove none":     {g.Remove("two", 0), unix.ENXIO},
		"device missing":  {second(g.Activate("two", "", missing, 0, 0)), unix.ENXIO},
		"too large":       {second(g.Activate("two", "", large, 0, 0)), unix.EINVAL},
		"no such target":  {second(g.Activate("two", "", table.Table{{Start: 0, Length: 8, Target: odd{"no-such", "1 2"}}}, 0, 0)), unix.EINVAL},
		"no such message": {second(g.Message("one", 0, "hello")), unix.EINVAL},
	} {
		if !errors.Is(c.err, c.want) {
			g.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
	// What table.Raid refuses, the kernel would refuse as well.
	for _, params := range []string{
		"raid0 3 64 region_size 1024 2 - 1:3 - 1:4", "raid6_zr 2 64 nosync 4 - 1:3 - 1:4 - 1:5 - 1:6",
		"raid10 3 64 write_mostly 0 2 - 1:3 - 1:4", "raid5_ls 3 64 max_write_behind 256 3 - 1:3 - 1:4 - 1:5",
		"raid1 3 0 raid10_copies 2 2 - 1:3 - 1:4", "raid4 3 64 raid10_format near 3 - 1:3 - 1:4 - 1:5",
	} {
		_, parseErr := table.Parse("raid", params)
		if _, err := g.Activate("two", "", table.Table{{Start: 0, Length: 12288, Target: odd{"raid", params}}}, 0, 0); !errors.Is(err, unix.EINVAL) || parseErr == nil {
			g.Errorf("raid %s: %v, and of Parse %v", params, err, parseErr)
		}
	}
	held, err := os.OpenFile("/dev/ram0", os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		g.Fatal(err)
	}
	if _, err := g.Activate("two", "", table.Table{{Start: 0, Length: 8, Target: table.Linear{Dev: ram(0)}}}, 0, 0); !errors.Is(err, unix.EBUSY) {
		g.Errorf("a device that is in use: %v", err)
	}
	_ = held.Close()
	if list, err := g.List(); err != nil || len(list) != 1 {
		g.Errorf("what failed left %v, %v", list, err)
	}
	g.remove("one")
}

// odd is a target that pkg/dm/table does not have.
type odd struct{ kind, params string }

func (o odd) Type() string   { return o.kind }
func (o odd) Params() string { return o.params }

// many: a table whose text does not fit into the first buffer.
func (g *guest) many() {
	var t table.Table
	for i := range uint64(1000) {
		t = append(t, table.Line{Start: 8 * i, Length: 8, Target: table.Linear{Dev: ram(13), Offset: 8000 - 8*i}})
	}
	g.made("many", t, ram(13))
	g.remove("many")
}

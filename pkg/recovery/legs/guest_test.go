package legs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/dm/table"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
	layer "github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

func TestMain(m *testing.M) {
	vmtest.Main()
	if vmtest.Inside() {
		os.Exit(m.Run())
	}
	nstest.Main(m)
}

const (
	mirrorMiB = 96 // of the volume that lvm2 makes
	missedMiB = 2  // what is written while a leg is away
)

var mirrored = volumes.Set{
	Name:     "legs",
	Contents: map[string]images.Filesystem{"root": {MiB: mirrorMiB, Tree: images.Tree{"name": images.Text("root\n")}}},
	Recipes: []volumes.Recipe{{Name: "mirror", Disks: []volumes.Disk{{MiB: 128}, {MiB: 128}}, Commands: fmt.Sprintf(`
vgcreate -s 1M vg $1 $2
lvcreate --type raid1 -m 1 -l %d -n root vg
fill root /dev/vg/root
synced vg-root
`, mirrorMiB)}},
}

// A leg of a mirror by lvm2 goes away under a mounted file system and comes back as another disk,
// under the same number, and after the mirror was activated without it: each time the kernel writes
// to it what it has missed and little more, and in the end both legs are the same.
func TestKernel(t *testing.T) {
	m := vmtest.Machine{FileSystems: []string{"ext4"}, Modules: []string{"virtio_scsi", "sd_mod", "dm_mod", "dm_raid", "raid1"}}
	var g *volumes.Group
	if !vmtest.Inside() {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		made, err := volumes.Make(ctx, mirrored)
		if err != nil {
			t.Fatal(err)
		}
		if g, err = made.Clone("mirror", t.TempDir()); err != nil {
			t.Fatal(err)
		}
		m.SCSI = g.Paths
	}
	vmtest.Run(t, m, func() { (&guest{T: t}).run() })
	if g != nil {
		compareLegs(t, g)
	}
}

// compareLegs looks at the legs' images.
func compareLegs(t *testing.T, g *volumes.Group) {
	t.Helper()
	var first []byte
	for _, name := range []string{"vg-root_rimage_0", "vg-root_rimage_1"} {
		d, err := g.Linear(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(1); err != nil {
			t.Error(name, err)
		}
		for _, file := range []string{"away", "offline", "degraded"} {
			if b, err := d.ReadFile(1, "/"+file); err != nil || !bytes.Equal(b, missed(file)) {
				t.Errorf("%s: file %s has %d bytes, %v", name, file, len(b), err)
			}
		}
		b, err := d.ReadFile(1, "/name")
		if err != nil || first != nil && !bytes.Equal(b, first) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		first = b
	}
}

// missed is the content of a file that is written while a leg is away.
func missed(name string) []byte { return bytes.Repeat([]byte(name+"\n"), missedMiB<<20/(len(name)+1)) }

// guest is the machine from the inside.
type guest struct {
	*testing.T
	c     *dm.Control
	r     *Refresher
	layer *layer.Layer
	root  blockdev.Assembly
}

func (g *guest) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// wait waits for the kernel.
func (g *guest) wait(what string, ready func() bool) {
	g.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, _ := g.c.TableText("vg-root")
			status, _ := g.c.Status("vg-root")
			g.Fatalf("%s does not come: disks %v, table %s, status %v", what, g.disks(), text, status)
		}
	}
}

func (g *guest) run() {
	var err error
	g.c, err = dm.Open(nil)
	g.must(err)
	g.must(os.MkdirAll(runstate.Dir, 0o755))
	g.r = New(logger{g.T})
	g.wait("the disks", func() bool { return len(g.disks()) == 2 })
	g.activate(false)
	g.mount()

	old := g.disk(0)
	g.remove(old)
	g.writeWithout("away", "DA")
	if g.rescan(0); g.disk(0) == old {
		g.Error("the disk has its name again: the mirror has let it go")
	}
	g.refresh(0)

	g.setState(0, "offline")
	g.writeWithout("offline", "DA")
	g.setState(0, "running")
	g.refresh(0)

	g.unmount()
	g.must(g.layer.Deactivate(context.Background(), g.root))
	g.remove(g.disk(1))
	g.activate(true)
	g.mount()
	g.writeWithout("degraded", "A-")
	g.rescan(1)
	g.refresh(1)
	g.unmount()
	g.must(g.layer.Deactivate(context.Background(), g.root))
}

// disk is the name of the disk of a leg by its SCSI target, empty if it is not there.
func (g *guest) disk(leg int) string {
	for _, name := range g.disks() {
		link, err := os.Readlink("/sys/block/" + name + "/device")
		if err == nil && strings.HasSuffix(link, fmt.Sprintf(":%d:0", leg)) {
			return name
		}
	}
	return ""
}

// setState has the disk of a leg refuse all commands, or run again.
func (g *guest) setState(leg int, state string) {
	g.Helper()
	g.must(os.WriteFile("/sys/block/"+g.disk(leg)+"/device/state", []byte(state+"\n"), 0))
}

// disks are the names of those that are there.
func (g *guest) disks() []string {
	all, err := blockdev.Disks("/sys")
	g.must(err)
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, "sd") })
}

func (g *guest) devices() (out []*blockdev.Device) {
	for _, name := range g.disks() {
		d, err := blockdev.Read("/sys", name)
		g.must(err)
		out = append(out, d)
	}
	return out
}

// activate activates the mirror as the boot does.
func (g *guest) activate(degraded bool) {
	g.Helper()
	g.layer = &layer.Layer{
		Sys: "/sys", Dev: "/dev", Want: layer.Filter{Name: "vg-root", Degraded: degraded}, Temporary: func(error) bool { return false }, Warnf: g.Logf,
		Kernel: layer.OfModules(func(context.Context, string) error { return nil }),
		Open:   func(path string) (*blockdev.File, error) { return blockdev.Open(context.Background(), path) },
	}
	found, err := g.layer.Find(context.Background(), g.devices())
	if err != nil || len(found) != 1 {
		g.Fatal(found, err, g.layer.Errs)
	}
	g.root = found[0]
	_, err = g.layer.Activate(context.Background(), g.root)
	g.must(err)
}

func (g *guest) mount() {
	g.Helper()
	g.must(os.MkdirAll("/mnt", 0o755))
	g.must(unix.Mount("/dev/mapper/vg-root", "/mnt", "ext4", 0, "errors=remount-ro"))
}

func (g *guest) unmount() {
	g.Helper()
	g.must(unix.Unmount("/mnt", 0))
}

func (g *guest) remove(disk string) {
	g.Helper()
	g.must(os.WriteFile("/sys/block/"+disk+"/device/delete", []byte("1"), 0))
	g.wait("removal of "+disk, func() bool { return !slices.Contains(g.disks(), disk) })
}

// rescan finds the disk of a leg again.
func (g *guest) rescan(leg int) {
	g.Helper()
	hosts, err := filepath.Glob("/sys/class/scsi_host/host*/scan")
	g.must(err)
	for _, h := range hosts {
		_ = os.WriteFile(h, []byte("- - -"), 0) // not each has a bus
	}
	g.wait("the disk", func() bool { return g.disk(leg) != "" })
}

// writeWithout writes a file while a leg is away. The file system does not see an error.
func (g *guest) writeWithout(name, health string) {
	g.Helper()
	f, err := os.Create("/mnt/" + name)
	g.must(err)
	_, err = f.Write(missed(name))
	g.must(err)
	g.must(f.Sync())
	g.must(f.Close())
	g.wait("health "+health, func() bool { return g.status().Health == health })
}

func (g *guest) status() table.RaidStatus {
	lines, err := g.c.Status("vg-root")
	g.must(err)
	s, err := table.ParseRaidStatus(lines[0].Text)
	g.must(err)
	return s
}

// refresh takes a leg back, and sees that not the whole leg is written.
func (g *guest) refresh(leg int) {
	g.Helper()
	disk := g.disk(leg)
	before := g.written(disk)
	changed, err := g.r.Refresh(g.devices())
	if err != nil || !changed {
		g.Fatalf("refresh: %v, %v, status %+v", changed, err, g.status())
	}
	g.wait("a mirror in sync", func() bool {
		s := g.status()
		return s.Health == "AA" && s.Done == s.Total && s.Action == "idle"
	})
	unix.Sync()
	n := g.written(disk) - before
	g.Logf("%s: %d of %d MiB were written to the leg", disk, n>>20, mirrorMiB)
	if n < missedMiB<<20 || n > mirrorMiB<<20/2 {
		g.Errorf("%s: %d bytes were written to the leg", disk, n)
	}
	if changed, err := g.r.Refresh(g.devices()); changed || err != nil {
		g.Errorf("refresh of what is whole: %v, %v", changed, err)
	}
	if _, err := os.Stat(runstate.Refreshing); !os.IsNotExist(err) {
		g.Errorf("the note is there: %v", err)
	}
}

// written is how many bytes were written to a disk.
func (g *guest) written(disk string) (n int64) {
	g.Helper()
	b, err := os.ReadFile("/sys/block/" + disk + "/stat")
	g.must(err)
	f := strings.Fields(string(b))
	_, err = fmt.Sscan(f[6], &n) // Documentation/block/stat.rst: write sectors
	g.must(err)
	return n * 512
}

type logger struct{ *testing.T }

func (l logger) Infof(format string, args ...any) { l.Logf(format, args...) }
func (l logger) Warnf(format string, args ...any) { l.Logf("warning: "+format, args...) }

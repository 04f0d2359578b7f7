package legs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/dm"
	"github.com/iscsiroot/iscsiroot/pkg/internal/vmtest"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
	"github.com/iscsiroot/iscsiroot/pkg/md"
	"github.com/iscsiroot/iscsiroot/pkg/md/array"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/mirrors"
	layer "github.com/iscsiroot/iscsiroot/pkg/rootfs/volumes"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

var onVolumes = volumes.Set{
	Name:     "legs-md",
	Contents: map[string]images.Filesystem{"root": {MiB: mirrorMiB, Tree: images.Tree{"name": images.Text("root\n")}}},
	Recipes: []volumes.Recipe{{Name: "array", Disks: []volumes.Disk{{MiB: 128}, {MiB: 128}}, Commands: fmt.Sprintf(`
vgcreate -s 1M one $1
vgcreate -s 1M two $2
lvcreate -l %[1]d -n leg one
lvcreate -l %[1]d -n leg two
array root --level=1 --raid-devices=2 --bitmap=internal --bitmap-chunk=256K /dev/one/leg /dev/two/leg
fill root /dev/md/root
`, mirrorMiB+4)}},
}

// A disk goes away under a volume that is a member of an md array, and comes back as another one:
// the volume stands on that then, the array takes it back, and the kernel writes to it what it has
// missed and little more.
func TestKernelMemberOnVolume(t *testing.T) {
	m := vmtest.Machine{FileSystems: []string{"ext4"}, Modules: []string{"virtio_scsi", "sd_mod", "dm_mod", "md_mod", "raid1"}}
	if !vmtest.Inside() {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		made, err := volumes.Make(ctx, onVolumes)
		if err != nil {
			t.Fatal(err)
		}
		g, err := made.Clone("array", t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		m.SCSI = g.Paths
	}
	vmtest.Run(t, m, func() { (&guest{T: t}).runArray() })
}

func (g *guest) runArray() {
	var err error
	g.c, err = dm.Open(nil)
	g.must(err)
	g.must(os.MkdirAll(runstate.Dir, 0o755))
	g.r = New(logger{g.T})
	g.wait("the disks", func() bool { return len(g.disks()) == 2 })
	md0 := array.Paths{Sys: "/sys", Dev: "/dev"}
	g.must(md0.Start("md0", 2, []array.Number{g.volume("one-leg"), g.volume("two-leg")}))
	g.must(os.MkdirAll("/mnt", 0o755))
	g.must(unix.Mount("/dev/md0", "/mnt", "ext4", 0, "errors=remount-ro"))
	g.must(os.WriteFile("/mnt/before", nil, 0o600))
	unix.Sync()

	for round, leg := range []int{0, 1} {
		g.remove(g.disk(leg))
		g.rescan(leg)
		name := fmt.Sprintf("/mnt/away%d", round)
		f, err := os.Create(name)
		g.must(err)
		_, err = f.Write(missed("away"))
		g.must(err)
		g.must(f.Sync())
		g.must(f.Close())
		g.wait("a degraded array", func() bool { return g.attribute("degraded") == "1" })
		before := g.written(g.disk(leg))

		changed, err := g.r.Refresh(g.devices())
		if err != nil || !changed {
			g.Fatalf("refresh of the volume: %v, %v", changed, err)
		}
		members := &mirrors.Members{Arrays: md0, Sys: "/sys", Read: readDirect, Log: logger{g.T}}
		if changed, err = members.Refresh(g.devices()); err != nil || !changed {
			g.Fatalf("refresh of the array: %v, %v", changed, err)
		}
		g.wait("an array in sync", func() bool { return g.attribute("degraded") == "0" && g.attribute("sync_action") == "idle" })
		unix.Sync()
		if n := g.written(g.disk(leg)) - before; n < missedMiB<<20 || n > mirrorMiB<<20/2 {
			g.Errorf("%d bytes were written to the leg", n)
		}
		if changed, err := g.r.Refresh(g.devices()); changed || err != nil {
			g.Errorf("refresh of what is whole: %v, %v", changed, err)
		}
	}
	g.must(unix.Unmount("/mnt", 0))
	g.must(os.WriteFile("/sys/block/md0/md/sync_action", []byte("check"), 0))
	g.wait("the check", func() bool { return g.attribute("sync_action") == "idle" })
	if n := g.attribute("mismatch_cnt"); n != "0" {
		g.Errorf("%s sectors differ", n)
	}
	g.must(unix.Mount("/dev/md0", "/mnt", "ext4", unix.MS_RDONLY, ""))
	for round := range 2 {
		if b, err := os.ReadFile(fmt.Sprintf("/mnt/away%d", round)); err != nil || !bytes.Equal(b, missed("away")) {
			g.Errorf("file %d has %d bytes, %v", round, len(b), err)
		}
	}
	g.must(unix.Unmount("/mnt", 0))
	g.must(md0.Stop("md0"))
}

// attribute reads one of the array.
func (g *guest) attribute(name string) string {
	g.Helper()
	b, err := os.ReadFile("/sys/block/md0/md/" + name)
	g.must(err)
	return strings.TrimSpace(string(b))
}

// volume activates a volume as the boot does, and returns its number.
func (g *guest) volume(name string) array.Number {
	g.Helper()
	l := &layer.Layer{
		Sys: "/sys", Dev: "/dev", Want: layer.Filter{Name: name}, Temporary: func(error) bool { return false }, Warnf: g.Logf,
		Kernel: layer.OfModules(func(context.Context, string) error { return nil }),
		Open:   func(path string) (*blockdev.File, error) { return blockdev.Open(context.Background(), path) },
	}
	found, err := l.Find(context.Background(), g.devices())
	if err != nil || len(found) != 1 {
		g.Fatal(found, err, l.Errs)
	}
	made, err := l.Activate(context.Background(), found[0])
	if err != nil || len(made) != 1 {
		g.Fatal(made, err)
	}
	return array.Number(made[0].Number)
}

// readDirect reads a superblock as the agent does.
func readDirect(device string, size int64) (md.Superblock, error) {
	f, err := os.OpenFile(filepath.Join("/dev", device), os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return md.Superblock{}, err
	}
	defer func() { _ = f.Close() }()
	return md.Read(blockdev.Direct{File: f}, size)
}

func (l logger) Errorf(format string, args ...any) { l.Logf("error: "+format, args...) }

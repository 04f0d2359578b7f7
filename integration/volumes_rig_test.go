package integration

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

const (
	// volumeRoot is the UUID of the file system in every volume vg/root but Debian's.
	volumeRoot = "6b656e63-0000-4000-8000-00000000100f"
	volumeUsr  = "6b656e63-0000-4000-8000-00000000100e"
	// volumesDeadline is for the guest that makes volume groups and arrays, on a busy host.
	volumesDeadline = 10 * time.Minute
	// volumeMounted is the guest's line about a root in vg/root.
	volumeMounted = "guest: mount: /dev/mapper/vg-root / ext4 ro,"
)

// volumeContents are the file systems that recipes fill volumes with; that of split has /usr in
// another volume.
func volumeContents() map[string]images.Filesystem {
	plain, split := root("disks"), root("disks")
	split["etc/fstab"] = images.Text("/dev/mapper/vg-usr /usr ext2 defaults 0 2\n")
	split["usr"] = images.Dir()
	return map[string]images.Filesystem{
		"root":  {MiB: 16, Label: "root", UUID: volumeRoot, Tree: plain},
		"split": {MiB: 16, Label: "root", UUID: volumeRoot, Tree: split},
		"usr":   {Type: "ext2", MiB: 4, UUID: volumeUsr, Tree: images.Tree{"share": images.Dir()}},
	}
}

// testVolumes are the volume groups that make test needs.
var testVolumes = sync.OnceValues(func() (*volumes.Made, error) {
	return makeVolumes("test", []volumes.Recipe{
		{Name: "linear", Disks: []volumes.Disk{{MiB: 16}, {MiB: 24}}, Commands: `
vgcreate -s 1M vg $1 $2
lvcreate -l 10 -n root vg $1
lvextend -l 16 vg/root $2
lvcreate -l 4 -n usr vg $2
lvcreate -l 4 -n swap vg $1
mkswap /dev/vg/swap
fill split /dev/vg/root
fill usr /dev/vg/usr
`},
		{Name: "raid1", Disks: []volumes.Disk{{MiB: 24}, {MiB: 24}}, Commands: `
vgcreate -s 1M vg $1 $2
lvcreate --type raid1 -m 1 -l 16 -n root vg
fill root /dev/vg/root
synced vg-root
`},
		{Name: "thin", Disks: []volumes.Disk{{MiB: 40}}, Commands: `
vgcreate -s 1M vg $1
lvcreate --type thin-pool -l 24 --poolmetadatasize 2M -n pool vg
lvcreate -V 64M -T vg/pool -n root
fill root /dev/vg/root
lvcreate -s -n snap vg/root
`},
		{Name: "partition", Disks: []volumes.Disk{{MiB: 32, Table: "label: gpt\nstart=1MiB, size=4MiB\nstart=5MiB, size=26MiB\n"}}, Commands: `
vgcreate -s 1M vg ${1}2
lvcreate -l 16 -n root vg
fill root /dev/vg/root
`},
		{Name: "cache", Disks: []volumes.Disk{{MiB: 48}}, Commands: `
vgcreate -s 1M vg $1
lvcreate -l 16 -n root vg
lvcreate --type cache-pool -l 8 --poolmetadatasize 8M -n fast vg
lvconvert -y --type cache --cachepool vg/fast vg/root
`},
		volumes.DebianRecipe("debian", false), volumes.DebianRAIDRecipe("debianraid"), volumes.DebianThinRecipe("debianthin"),
	})
})

// makeVolumes makes a set of volume groups, or finds it in the cache.
func makeVolumes(name string, recipes []volumes.Recipe) (*volumes.Made, error) {
	return makeSet(name, recipes, volumeContents())
}

func makeSet(name string, recipes []volumes.Recipe, contents map[string]images.Filesystem) (*volumes.Made, error) {
	ctx, cancel := context.WithTimeout(context.Background(), volumesDeadline)
	defer cancel()
	begin := time.Now()
	m, err := volumes.Make(ctx, volumes.Set{Name: name, Recipes: recipes, Contents: contents})
	fmt.Printf("integration: volumes %s are there after %s\n", name, short(time.Since(begin)))
	return m, err
}

// volumeRig is a rig with the disks of a recipe.
type volumeRig struct {
	*rig
	group *volumes.Group
}

func newVolumeRig(t *testing.T, set func() (*volumes.Made, error), recipe string) *volumeRig {
	t.Helper()
	r := &volumeRig{rig: newRig(t)}
	m, err := set()
	if err != nil {
		t.Fatal(err)
	}
	if r.group, err = m.Clone(recipe, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	r.renew() // the set may have been made meanwhile
	return r
}

// volumeImage has the modules that root in a volume may need.
var volumeImage = image{nics: "virtio_net", stack: "lvm,lvm-raid,lvm-thin"}

// oneTarget exports images as LUNs 1, 2 and so on of one target.
func (r *rig) oneTarget(paths ...string) *targets.Tgtd {
	r.t.Helper()
	luns := map[int]string{}
	for i, path := range paths {
		luns[i+1] = path
	}
	return r.startTgtd(targets.Config{LUNs: luns})
}

// secondTarget is the name of a second target, at port 3261.
const secondTarget = targetName + ".second"

// twoTargetsLine is the command line for root on both.
const twoTargetsLine = "console=ttyS0 iscsi_i=" + initiator + " iscsi_t=" + targetName + " iscsi_a=10.77.0.1 iscsi_t.2=" + secondTarget +
	" iscsi_a.2=10.77.0.1:3261 "

// startSecond exports an image at the second target.
func (r *rig) startSecond(path string) *targets.Tgtd {
	r.t.Helper()
	return r.startTgtd(targets.Config{Name: secondTarget, Portal: portal(3261), LUNs: map[int]string{1: path}})
}

// twoTargets exports the first disk at one target and the second at another.
func (r *volumeRig) twoTargets() {
	r.t.Helper()
	r.oneTarget(r.group.Paths[0])
	r.startSecond(r.group.Paths[1])
}

// volumeBoot boots to the real init, which finds root in vg/root, and powers off.
func (r *volumeRig) volumeBoot(line string, shown ...string) *lab.Machine {
	r.t.Helper()
	m := r.boot(volumeImage, "", line)
	r.expect(m, volumeMounted)
	r.waitOff(m)
	r.checkShown(m, shown...)
	return m
}

// checkVolume checks the file system of a volume that is in one piece on one disk, by
// device-mapper's name.
func (r *volumeRig) checkVolume(name string) {
	r.t.Helper()
	d, err := r.group.Linear(name)
	if err == nil {
		err = d.Check(1)
	}
	if err != nil {
		r.t.Error(err)
	}
}

// sums are the checksums of all disks, to find writes.
func (r *volumeRig) sums() (out []string) {
	r.t.Helper()
	for _, path := range r.group.Paths {
		out = append(out, sum(r.t, path))
	}
	return out
}

// pvID is the id of the PV that an image is, as lvm2 shows it (lvm2 lib/uuid/uuid.c:
// id_write_format). It follows the label in sector 1 (lib/format_text/layout.h: pv_header).
func pvID(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	label := make([]byte, 512)
	if _, err := f.ReadAt(label, 512); err != nil {
		t.Fatal(err)
	}
	if string(label[:8]) != "LABELONE" {
		t.Fatalf("%s has no label of lvm2", path)
	}
	id, out := string(label[binary.LittleEndian.Uint32(label[20:]):][:32]), ""
	for i, n := range []int{6, 4, 4, 4, 4, 4, 6} {
		if i > 0 {
			out += "-"
		}
		out, id = out+id[:n], id[n:]
	}
	return out
}

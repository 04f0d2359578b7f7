//go:build soak

package integration

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// volumeMirrors is an array whose members are volumes of two groups.
var volumeMirrors = sync.OnceValues(func() (*volumes.Made, error) {
	return makeArrays("volume-mirrors", []volumes.Recipe{{Name: "lvm-md", Disks: []volumes.Disk{{MiB: 80}, {MiB: 80}}, Commands: `
vgcreate -s 1M one $1
vgcreate -s 1M two $2
lvcreate -l 64 -n leg one
lvcreate -l 64 -n leg two
array root --level=1 --raid-devices=2 --bitmap=internal --bitmap-chunk=256K /dev/one/leg /dev/two/leg
fill load /dev/md/root
`}})
})

// One target of a mirror dies whose members are volumes, in a root without lvm2: when the target
// comes back, the volume stands on its new disk, and the member is brought up to date. This happens
// twice, with either target.
func TestSoakArraysVolumeBelowArray(t *testing.T) {
	v := newVolumeRig(t, volumeMirrors, "lvm-md")
	r := &mirrorRig{faultRig: &faultRig{rig: v.rig}, group: v.group, device: "md"}
	r.target = r.oneTarget(r.group.Paths[0])
	r.startSecondLeg()
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitWritten()
	dies := func(stop func() error, name string, start func(), moved string) {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.expect(r.m, name+": connection lost")
		r.waitArray("degraded=1")
		r.waitWritten()
		start()
		r.expect(r.m, "volumes: "+moved+" stands on the new disk of its physical volume")
		r.waitArray("degraded=0", "sync_action=idle", "slot=0", "slot=1")
		r.checkNoFullResync()
	}
	dies(r.second.Stop, secondTarget, r.startSecondLeg, "two-leg")
	dies(r.target.Stop, targetName, func() { r.target = r.oneTarget(r.group.Paths[0]) }, "one-leg")
	r.goDown()
	r.checkNotShown(r.m, "I/O error, dev md", "EXT4-fs error", "EXT4-fs warning", "Buffer I/O error on dev md", "blocked for more than")
	d, err := r.group.Read(r.ctx, "md/root", 48, filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(0); err != nil {
		t.Error(err)
	}
}

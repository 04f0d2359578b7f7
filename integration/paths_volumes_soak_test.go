//go:build soak

package integration

import (
	"sync"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/volumes"
)

// pathVolumes are roots that stand on maps.
var pathVolumes = sync.OnceValues(func() (*volumes.Made, error) {
	return makeArrays("paths", []volumes.Recipe{
		{Name: "lv", Disks: []volumes.Disk{{MiB: 128}}, Commands: `
vgcreate -s 1M vg $1
lvcreate -l 100 -n root vg
fill load /dev/vg/root
`},
		{Name: "mirror", Disks: []volumes.Disk{{MiB: 64}, {MiB: 64}}, Commands: `
array root --level=1 --raid-devices=2 --bitmap=internal --bitmap-chunk=256K $1 $2
fill load /dev/md/root
`},
	})
})

// newPathVolumes makes a rig whose target has the disks of a recipe as LUNs 1, 2 and so on.
func newPathVolumes(t *testing.T, recipe string) (*pathRig, *volumes.Group) {
	t.Helper()
	r := newPathNetworks(t)
	m, err := pathVolumes()
	if err != nil {
		t.Fatal(err)
	}
	group, err := m.Clone(recipe, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.renew() // the set may have been made meanwhile
	r.startPathTarget(group.Paths...)
	return r, group
}

// pathVolumeImage has the modules of all of them.
var pathVolumeImage = image{nics: "virtio_net", stack: "multipath,md,lvm"}

// A volume on a map: each path is lost under write load, and then both.
func TestSoakPathVolume(t *testing.T) {
	r, group := newPathVolumes(t, "lv")
	r.startPaths(pathVolumeImage, soakPathLine+" root=/dev/vg/root")
	r.expect(r.m, "guest: mount: /dev/mapper/vg-root / ext4 rw")
	r.losePaths()
	r.goDown(func() {})
	r.checkNoPathErrors()
	r.stopTarget()
	d, err := group.Linear("vg-root")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(1); err != nil {
		t.Error(err)
	}
}

// A mirror of two maps: the paths of both are lost and come back, and the mirror stays whole.
func TestSoakPathMirror(t *testing.T) {
	r, _ := newPathVolumes(t, "mirror")
	r.startPaths(pathVolumeImage, soakPathLine)
	r.expect(r.m, "guest: mount: /dev/md")
	r.losePaths()
	r.waitShown("arrays", "degraded=0")
	r.goDown(func() {})
	r.checkNoPathErrors()
	r.checkNotShown(r.m, "I/O error, dev md", "degraded=1")
}

// losePaths closes and opens each path, and then both.
func (r *pathRig) losePaths() {
	r.t.Helper()
	r.waitMap(bothAlive)
	for i := range r.proxies {
		r.closePath(i)
		r.waitMap(oneFailed)
		r.waitWritten()
		r.openPath(i)
		r.waitMap(bothAlive)
	}
	r.closePath(0)
	r.closePath(1)
	r.waitMap(allFailed)
	r.openPath(1)
	r.openPath(0)
	r.waitMap(bothAlive)
	r.waitWritten()
}

// A mirror of maps of two targets: all paths of the first one are dead for longer than a mirror
// waits for a half, come back, and the halves become the same again.
func TestSoakPathMirrorTargetDies(t *testing.T) {
	r := newLIONetworks(t)
	m, err := pathVolumes()
	if err != nil {
		t.Fatal(err)
	}
	group, err := m.Clone("mirror", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.renew()
	r.startLIO(r.lioTarget(lioName, group.Paths[0]), r.lioTarget(lioPlain, group.Paths[1]))
	r.startPaths(pathVolumeImage, console+"rw iscsi_i="+initiator+" iscsi_multipath=1 iscsi_mirror_tmo=3 "+pathNICs+
		"iscsi_t="+lioName+" "+pathPortals+"iscsi_t.2="+lioPlain+" iscsi_a.2=10.77.0.10,10.78.0.10")
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitMap(bothAlive)
	r.closePath(0)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.closePath(1)
	r.sleep(20 * time.Second)
	r.waitWritten()
	r.run("arrays")
	r.openPath(0)
	r.openPath(1)
	r.waitMap(bothAlive)
	r.waitShown("arrays", "degraded=0")
	r.goDown(func() {})
	r.checkNoErrorsAbove()
	r.checkNotShown(r.m, "I/O error, dev md")
}

// An installed Debian without multipath-tools: its links of root point to the map, dmsetup has it,
// both paths are lost in turn, and it turns itself off.
func TestSoakPathDebian(t *testing.T) {
	d := newDebian(t, "lvm")
	paths := &pathRig{faultRig: &faultRig{rig: d.rig}, id: tgtdID}
	paths.taps = [2]*lab.Tap{d.tap, d.addTap("tap1", "10.78.0.1/24")}
	paths.separate("tap0", "tap1")
	paths.startPathTarget(d.disk.Path)
	d.relogins = true
	d.m = d.start(pathImage, lab.MachineConfig{
		Append: soakPathLine + " root=LABEL=root", MemoryMiB: 1024, NICs: []lab.NIC{{Tap: paths.taps[0]}, {Tap: paths.taps[1]}},
	})
	d.login()
	d.waitRunning()
	for _, tt := range []struct{ command, want string }{
		{"findmnt -no SOURCE /", "/dev/mapper/" + tgtdID + "-part2"},
		{"readlink -f /dev/disk/by-uuid/$(findmnt -no UUID /) /dev/disk/by-label/root /dev/mapper/" + tgtdID + "-part2 | uniq -c | xargs echo", "3 /dev/dm-2"},
		{"dmsetup info -c --noheadings -o uuid | sort | xargs echo", "mpath-" + tgtdID + " part1-mpath-" + tgtdID + " part2-mpath-" + tgtdID},
		{"systemctl is-active dev-disk-by\\\\x2dlabel-root.device", "active"},
		{"systemctl --failed --no-legend | wc -l", "0"},
		{"dmsetup udevcookies | grep -c ^0x", "0"},
		{"cat /sys/class/iscsi_session/*/recovery_tmo | xargs echo", "0 0"},
	} {
		if got := d.run(tt.command); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
	}
	for i := range paths.proxies {
		d.run("echo 3 >/proc/sys/vm/drop_caches")
		paths.closePath(i)
		d.writeData()
		paths.openPath(i)
		d.run("until dmsetup status " + tgtdID + " | grep -v -q ' F '; do sleep 1; done")
	}
	d.run("dmesg -n 7; while ! test -x /run/initramfs/shutdown; do sleep 1; done")
	d.powerOff()
	d.loggedOut(paths.target)
}

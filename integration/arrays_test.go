package integration

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// Stripes over the LUNs of two targets on two networks, with LVM on them. Both addresses are from
// DHCP.
func TestArraysTwoNetworksDHCP(t *testing.T) {
	r := newVolumeRig(t, testArrays, "stripes")
	second := r.addTap("tap1", "10.78.0.1/24")
	r.oneTarget(r.group.Paths[0])
	r.startTgtd(targets.Config{Name: target2, Portal: netip.MustParseAddrPort("10.78.0.1:3260"), LUNs: map[int]string{1: r.group.Paths[1]}})
	r.twoServers("--dhcp-option=option:router")
	m := r.bootWith(arrayImage, console+"rd.neednet=1 rw iscsi_i="+initiator+" netroot=iscsi:10.78.0.1:::1:"+target2+" netroot=iscsi:10.77.0.1:::1:"+targetName+
		" root=/dev/vg/root", lab.NIC{Tap: second}, lab.NIC{Tap: r.tap})
	r.expect(m, "guest: mount: /dev/mapper/vg-root / ext4 rw,")
	r.waitOff(m)
	r.checkDetail(m, r.group.Paths[0], "stripes", "raid0")
	d, err := r.group.Read(r.ctx, "vg/root", 16, filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(0); err != nil {
		t.Error(err)
	}
}

// A mirror, one of whose targets is away, starts without it after a time that the screen names.
// When the target comes, its half is brought up to date.
func TestArraysDegraded(t *testing.T) {
	r := newMirrorRig(t)
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "waiting for target "+secondTarget+" for 30 s", "guest: mount: /dev/md")
	r.waitArray("degraded=1")
	r.waitWritten()
	r.startSecondLeg()
	r.expect(r.m, secondTarget+": logged in again after")
	r.waitArray("degraded=0")
	r.goDown()
	r.checkDetail(r.m, r.group.Paths[0], "root", "raid1")
	r.checkMirror()
}

// One target of a mirror dies under write load: its session is ended after iscsi_mirror_tmo=, and
// the writes go on without an error. When the target comes back, the session is made anew, and the
// half is brought up to date by the bitmap, without what has not changed.
func TestArraysMirrorTargetDies(t *testing.T) {
	r := newMirrorRig(t)
	r.startSecondLeg()
	r.m = r.boot(arrayImage, "", mirrorLine)
	r.expect(r.m, "guest: mount: /dev/md")
	r.waitWritten()
	if err := r.second.Stop(); err != nil {
		t.Fatal(err)
	}
	r.expect(r.m, secondTarget+": connection lost")
	r.waitArray("degraded=1")
	r.waitWritten()
	r.startSecondLeg()
	r.waitArray("degraded=0", "sync_action=idle", "slot=0", "slot=1")
	r.checkNoFullResync()
	r.goDown()
	r.checkDetail(r.m, r.group.Paths[0], "root", "raid1")
	r.checkMirror()
}

// waitInterval is the time between two looks at the machine's arrays.
const waitInterval = 500 * time.Millisecond

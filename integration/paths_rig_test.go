package integration

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// pathImage has the modules of multipath maps.
var pathImage = image{nics: "virtio_net", stack: "multipath"}

// tgtdID is the WWID of LUN 1 of a lab's tgtd whose first portal has port 3261, and clonesID that
// of those with port 3260: tgt makes it of the hexadecimal digits of scsi_id (usr/spc.c:
// update_vpd_83).
const (
	tgtdID   = "360000000000000000000ab0326100001"
	clonesID = "360000000000000000000ab0326000001"
)

// The parts of a command line for two paths: NICs with static addresses on two networks, and a
// target with a portal on each.
const (
	pathNICs    = "ip=10.77.0.2:::24::ens2:none ip=10.78.0.2:::24::ens3:none "
	pathTarget  = "console=ttyS0 rw iscsi_i=" + initiator + " iscsi_t=" + targetName + " "
	pathPortals = "iscsi_a=10.77.0.1,10.78.0.1 "
)

// pathRig is a machine with two NICs, each on a network of its own, whose root is on a target with
// a portal on each network. A proxy is in front of each portal.
type pathRig struct {
	*faultRig
	id      string // the LUN's WWID
	taps    [2]*lab.Tap
	proxies [2]*faultproxy.Proxy
	behind  [2]netip.AddrPort // the portals behind the proxies
	images  []string          // of the target
}

// pathAddrs are the addresses of the proxies.
var pathAddrs = [2]string{"10.77.0.1:3260", "10.78.0.1:3260"}

// newPathRig makes the rig with a tgtd; script has the commands of the guest.
func newPathRig(t *testing.T, mib int, script string) *pathRig {
	t.Helper()
	r := newPathNetworks(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: mib, Tree: root(script)})
	r.startPathTarget(r.disk.Path)
	return r
}

// newPathNetworks makes the networks alone.
func newPathNetworks(t *testing.T) *pathRig {
	t.Helper()
	r := &pathRig{faultRig: &faultRig{rig: newRig(t)}, id: tgtdID}
	r.faultRig.renew()
	r.taps = [2]*lab.Tap{r.tap, r.addTap("tap1", "10.78.0.1/24")}
	r.separate("tap0", "tap1")
	return r
}

// separate keeps the host from answering for an address of one network in the other one: by default
// the kernel answers ARP for an address on every link.
func (r *rig) separate(links ...string) {
	r.t.Helper()
	err := r.ns.Do(func() (err error) {
		for _, name := range links {
			err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/arp_ignore", []byte("1"), 0))
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// renew gives the rig the deadline of a test with many faults.
func (f *faultRig) renew() {
	ctx, cancel := context.WithTimeout(f.t.Context(), faultsDeadline)
	f.t.Cleanup(cancel)
	f.ctx = ctx
}

// startPathTarget starts the target with its two portals and with images as LUNs 1, 2 and so on,
// and the proxies.
func (r *pathRig) startPathTarget(images ...string) {
	r.t.Helper()
	r.behind = [2]netip.AddrPort{netip.MustParseAddrPort("10.77.0.1:3261"), netip.MustParseAddrPort("10.78.0.1:3261")}
	r.images = images
	r.serve()
	for i := range r.proxies {
		r.openPath(i)
	}
}

// serve starts the target behind the proxies.
func (r *pathRig) serve() {
	r.t.Helper()
	luns := map[int]string{}
	for i, path := range r.images {
		luns[i+1] = path
	}
	r.target = r.tgtdWith(targets.Config{Name: targetName, Portal: r.behind[0], Portals: r.behind[1:], LUNs: luns})
}

// openPath starts the i-th proxy; closePath ends it: the connection is reset, and later ones are
// refused.
func (r *pathRig) openPath(i int) {
	r.t.Helper()
	r.proxies[i] = r.proxy(pathAddrs[i], r.behind[i])
	r.proxies[i].Follow()
}

func (r *pathRig) closePath(i int) {
	r.t.Helper()
	r.proxies[i].Reset()
	_ = r.proxies[i].Close()
}

// cable plugs or pulls the cable of the i-th NIC.
func (r *pathRig) cable(i int, up bool) {
	r.t.Helper()
	if err := r.m.SetLink(r.ctx, i, up); err != nil {
		r.t.Fatal(err)
	}
}

// hole drops all frames of the i-th network, and passes them again. The NIC keeps its carrier.
func (r *pathRig) hole(i int, open bool) {
	r.t.Helper()
	if err := r.taps[i].SetUp(!open); err != nil {
		r.t.Fatal(err)
	}
}

// startPaths boots the machine with both NICs.
func (r *pathRig) startPaths(img image, line string) {
	r.t.Helper()
	r.m = r.bootWith(img, line, lab.NIC{Tap: r.taps[0]}, lab.NIC{Tap: r.taps[1]})
}

// expectMap waits for a root on the map's second partition.
func (r *pathRig) expectMap() {
	r.t.Helper()
	r.expect(r.m, "guest: mount: /dev/mapper/"+r.id+"-part2 / ext4 ")
}

// The states of a map with two paths.
const (
	bothAlive = "2 alive, 0 failed"
	oneFailed = "1 alive, 1 failed"
	allFailed = "0 alive, 2 failed"
)

// waitMap waits until the guest shows the map with all of the texts.
func (r *pathRig) waitMap(texts ...string) {
	r.t.Helper()
	r.waitShown("paths", append(texts, "guest: map "+r.id+" ")...)
}

// waitShown runs a command of the guest until it shows all of the texts.
func (f *faultRig) waitShown(command string, texts ...string) {
	f.t.Helper()
	for {
		before := len(f.m.Output())
		f.run(command)
		shown := f.m.Output()[before:]
		missing := ""
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				missing = text
			}
		}
		switch {
		case missing == "":
			return
		case f.ctx.Err() != nil:
			f.t.Fatalf("%s never shows %q", command, missing)
		}
		f.sleep(waitInterval)
	}
}

// goDown ends the guest's load, and shuts the machine down after a call. It returns how long that
// took.
func (r *pathRig) goDown(before func()) time.Duration {
	r.t.Helper()
	r.typeLine("end")
	r.expect(r.m, "guest: loaded ", "guest: ready to go down")
	before()
	began := time.Now()
	r.typeLine("")
	exit, err := r.m.Wait(r.ctx)
	if err != nil || exit.Reason != "guest-shutdown" {
		r.t.Fatalf("machine ended with %+v, %v", exit, err)
	}
	took := time.Since(began)
	r.t.Logf("down after %.1f s", took.Seconds())
	return took
}

// checkPathData checks that no error has reached the file system, and what it has.
func (r *pathRig) checkPathData() {
	r.t.Helper()
	r.checkNoPathErrors()
	r.stopTarget()
	checkSums(r.rig, -1)
}

// checkNoPathErrors checks that no fault has passed a map.
func (r *pathRig) checkNoPathErrors() {
	r.t.Helper()
	r.checkNotShown(r.m, "I/O error, dev dm-")
	r.checkNoErrorsAbove()
}

// checkNoErrorsAbove checks that no fault has reached a file system: a map that an array works
// without is made to fail.
func (r *pathRig) checkNoErrorsAbove() {
	r.t.Helper()
	r.checkNotShown(r.m, "Buffer I/O error on dev", "EXT4-fs error", "EXT4-fs warning", "blocked for more than", "guest: faults: error")
}

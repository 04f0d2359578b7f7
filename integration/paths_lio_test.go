package integration

import (
	"net/netip"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// lioID is the WWID of the first disk of the lab's LIO: NAA 6, LIO's number, and the digits of the
// serial number (drivers/target/target_core_spc.c: spc_parse_naa_6h_vendor_specific).
const lioID = "3" + "6001405" + "15c510070000" + "0000000000000"

// lioPaths is a rig whose target is LIO with two NICs, on the networks of the machine's NICs.
type lioPaths struct {
	*pathRig
	lio     *targets.LIO
	lioTaps [2]*lab.Tap
}

// newLIOPaths starts LIO with a disk whose guest runs script. It has a portal on each network, of
// the target of that name, or of two targets. A proxy is in front of each.
func newLIOPaths(t *testing.T, mib int, script string, names ...string) *lioPaths {
	t.Helper()
	r := newLIONetworks(t)
	r.makeDisk(images.Filesystem{Type: "ext4", MiB: mib, Tree: root(script)})
	one := r.lioTarget(names[0], r.disk.Path)
	if len(names) == 1 {
		r.startLIO(one)
		return r
	}
	one.Portals, one.Grouped = nil, false
	two := one
	two.Name, two.Portal = names[1], r.behind[1]
	r.startLIO(one, two)
	return r
}

// newLIONetworks makes the networks alone: bridges, which have the host's addresses.
func newLIONetworks(t *testing.T) *lioPaths {
	t.Helper()
	peer := newPeerRig(t)
	r := &lioPaths{pathRig: &pathRig{faultRig: &faultRig{rig: peer.rig}, id: lioID}}
	r.faultRig.renew()
	other, err := r.ns.AddBridge("br1", netip.MustParsePrefix("10.78.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	r.taps = [2]*lab.Tap{r.tap, r.bridgeTap(other, "tap1")}
	r.separate("br0", "br1")
	r.lioTaps = [2]*lab.Tap{r.bridgeTap(peer.bridge, "lio0"), r.bridgeTap(other, "lio1")}
	r.behind = [2]netip.AddrPort{netip.MustParseAddrPort("10.77.0.10:3260"), netip.MustParseAddrPort("10.78.0.10:3260")}
	return r
}

func (r *rig) bridgeTap(b *lab.Bridge, name string) *lab.Tap {
	r.t.Helper()
	tap, err := b.AddTap(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return tap
}

// lioTarget is a target with an image as LUN 0 and a portal group on each network.
func (r *lioPaths) lioTarget(name, image string) targets.Config {
	return targets.Config{
		Name: name, Portal: r.behind[0], Portals: r.behind[1:], Grouped: true, LUNs: map[int]string{0: image}, Initiators: []string{initiator},
	}
}

// startLIO starts LIO and the proxies.
func (r *lioPaths) startLIO(all ...targets.Config) {
	r.t.Helper()
	guest, err := lioGuest()
	if err != nil {
		r.t.Fatal(err)
	}
	c := targets.LIOConfig{Init: guest, Targets: all}
	for i, tap := range r.lioTaps {
		c.NICs = append(c.NICs, targets.LIONIC{Tap: tap, Addrs: []netip.Prefix{netip.PrefixFrom(r.behind[i].Addr(), 24)}})
	}
	if r.lio, err = targets.StartLIO(r.ctx, r.ns, c); err != nil {
		r.t.Fatal(err)
	}
	times.watch(r.t, r.lio.Machine)
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("the target's console:\n%s", r.lio.Output())
		}
	})
	for i := range r.proxies {
		r.openPath(i)
	}
}

// checkLIOData ends LIO, and checks that no error has reached the file system, and what it has.
func (r *lioPaths) checkLIOData() {
	r.t.Helper()
	r.checkNoPathErrors()
	if err := r.lio.Stop(); err != nil {
		r.t.Fatal(err)
	}
	checkSums(r.rig, -1)
}

// A target with two controllers of different names, as arrays have them: the WWID is the only one
// of its kind, so that the disks are joined without a word. A connection is reset, and a cable
// pulled, under write load.
func TestPathsTwoNames(t *testing.T) {
	r := newLIOPaths(t, 160, "faults down", lioName, lioPlain)
	r.startPaths(pathImage, console+"rw iscsi_i="+initiator+" iscsi_t="+lioName+" iscsi_a=10.77.0.1 iscsi_t.2="+lioPlain+" iscsi_a.2=10.78.0.1 "+pathNICs)
	r.expectMap()
	r.waitMap(bothAlive, "waits: ")
	r.waitWritten()
	r.closePath(0)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.openPath(0)
	r.waitMap(bothAlive)
	r.cable(1, false)
	r.waitMap(oneFailed)
	r.waitWritten()
	r.cable(1, true)
	r.waitMap(bothAlive)
	r.goDown(func() {})
	r.checkLIOData()
}

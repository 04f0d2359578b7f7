package integration

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/images"
)

// withModules adds modules of the kernel to a root, for the guest's command module.
func withModules(t *telling, tree images.Tree, names ...string) images.Tree {
	t.Helper()
	k, err := virtio.find()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(k.ModulesRoot, "lib/modules", k.Release, "kernel", name+".ko")
		tree["lib/modules/"+filepath.Base(path)] = images.Copy(path)
	}
	return tree
}

// What an administrator does to the network that root is on, one after the other, under write load: a VLAN on the NIC, other
// addresses, one that reaches nothing, a bridge, a bond, a VRF. Root goes on each time, and the boot's address is never beside one that
// works.
func TestRootsNetworkIsChanged(t *testing.T) {
	f := newFaultRig(t, 96)
	f.makeDisk(images.Filesystem{Type: "ext4", MiB: 96, Tree: withModules(f.t, root("faults alone"),
		"net/llc/llc", "net/802/stp", "net/802/mrp", "net/802/garp", "net/8021q/8021q", "net/bridge/bridge",
		"net/tls/tls", "drivers/net/bonding/bonding", "drivers/net/vrf")})
	f.stopTarget()
	f.startTarget(oneWay.Secret)
	f.m = f.boot(virtio, "", faultLine+"iscsi_recovery_tmo=300")
	f.watched()
	f.do("module llc stp mrp garp 8021q bridge tls bonding vrf")
	f.vlan()
	f.otherAddress()
	f.deadAddress()
	f.bridged()
	f.bonded()
	f.vrf()
	f.finish()
}

// has waits until the guest's links are as asked: for each pattern a line begins with it.
func (f *faultRig) has(patterns ...string) {
	f.t.Helper()
	for begin := time.Now(); ; f.sleep(300 * time.Millisecond) {
		from := len(f.m.Output())
		f.do("net")
		shown := f.m.Output()[from:]
		missing := ""
		for _, pattern := range patterns {
			if !regexp.MustCompile("guest: net: " + pattern).MatchString(shown) {
				missing = pattern
			}
		}
		if missing == "" {
			return
		}
		if f.ctx.Err() != nil || time.Since(begin) > textDeadline {
			f.t.Fatalf("no link is %q:\n%s", missing, shown)
		}
	}
}

// vlan makes one on the NIC, whose MAC it has, and takes the NIC's address away.
func (f *faultRig) vlan() {
	f.do("vlan 7")
	f.typed("flush")
	f.expect(f.m, "lost 10.77.0.2/24: put back")
	f.writes()
	f.has("ens2 mtu 1500 10.77.0.2/24", "vlan7 mtu 1500 ")
	if strings.Contains(f.m.Output(), "guest: net: vlan7 mtu 1500 10.77.0.2") {
		f.t.Error("the VLAN got the NIC's address")
	}
}

// otherAddress gives the NIC another address, and takes the link down and up.
func (f *faultRig) otherAddress() {
	f.typed("address ens2 10.77.0.3/24")
	f.expect(f.m, "its address 10.77.0.2 is gone", "logged in again after")
	f.writes()
	f.do("bounce")
	f.writes()
	f.has("ens2 mtu 1500 10.77.0.3/24 ")
}

// deadAddress gives it one that reaches no target, and then one more that does.
func (f *faultRig) deadAddress() {
	f.typed("address ens2 10.99.0.9/24")
	f.expect(f.m, "its address 10.77.0.3 is gone", "10.77.0.2/24 put back")
	f.writes()
	f.typed("address ens2 + 10.77.0.4/24")
	f.expect(f.m, "moved from 10.77.0.2 to 10.77.0.4")
	f.writes()
	f.has("ens2 mtu 1500 10.99.0.9/24 10.77.0.4/24 ")
}

// bridged makes the NIC a port of a bridge, as a hypervisor does, and takes it out again. The address is the boot's, as where
// nothing has changed it.
func (f *faultRig) bridged() {
	f.typed("address ens2 10.77.0.2/24")
	f.expect(f.m, "logged in again after")
	f.writes()
	f.do("master bridge br0")
	f.writes()
	f.has("br0 mtu 1500 10.77.0.2/24 ", "ens2 mtu 1500 fe80.* part of br0")
	f.do("nomaster")
	f.writes()
	f.has("ens2 mtu 1500 10.77.0.2/24 ")
}

// bonded makes the NIC a port of a bond, which takes it only while it is down, and takes it out again.
func (f *faultRig) bonded() {
	f.do("master bond bond1")
	f.writes()
	f.has("bond1 mtu 1500 10.77.0.2/24 ", "ens2 mtu 1500 .*part of bond1")
	f.do("nomaster")
	f.writes()
	f.has("ens2 mtu 1500 10.77.0.2/24 ")
}

// vrf puts the NIC into a VRF, where only sockets that are bound to it reach the target.
func (f *faultRig) vrf() {
	f.do("master vrf blue")
	f.recovered()
	f.has("ens2 mtu 1500 10.77.0.2/24 ")
	f.do("nomaster")
	f.recovered()
}

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
func withModules(t *failureLog, tree images.Tree, names ...string) images.Tree {
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

// Changes that an administrator makes to the network of root's session, one after the other, under
// write load: a VLAN on the NIC, other addresses, one that does not reach the target, a bridge, a
// bond, a VRF. The session recovers each time, and the boot's address is never restored beside one
// that works.
func TestRootNetworkChanges(t *testing.T) {
	f := newFaultRig(t, 96)
	f.makeDisk(images.Filesystem{Type: "ext4", MiB: 96, Tree: withModules(f.t, root("faults alone"),
		"net/llc/llc", "net/802/stp", "net/802/mrp", "net/802/garp", "net/8021q/8021q", "net/bridge/bridge",
		"net/tls/tls", "drivers/net/bonding/bonding", "drivers/net/vrf")})
	f.stopTarget()
	f.startTarget(oneWay.Secret)
	f.m = f.boot(virtio, "", faultLine+"iscsi_recovery_tmo=300")
	f.waitAgent()
	f.run("module llc stp mrp garp 8021q bridge tls bonding vrf")
	f.vlan()
	f.otherAddress()
	f.deadAddress()
	f.bridged()
	f.bonded()
	f.vrf()
	f.finish()
}

// waitLinks waits until, for each pattern, a line of the guest's list of links begins with a match.
func (f *faultRig) waitLinks(patterns ...string) {
	f.t.Helper()
	for begin := time.Now(); ; f.sleep(300 * time.Millisecond) {
		from := len(f.m.Output())
		f.run("net")
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
			f.t.Fatalf("no link matches %q:\n%s", missing, shown)
		}
	}
}

// vlan adds a VLAN on the NIC, with the same MAC, and removes the NIC's address.
func (f *faultRig) vlan() {
	f.run("vlan 7")
	f.typeLine("flush")
	f.expect(f.m, "lost 10.77.0.2/24: put back")
	f.waitWritten()
	f.waitLinks("ens2 mtu 1500 10.77.0.2/24", "vlan7 mtu 1500 ")
	if strings.Contains(f.m.Output(), "guest: net: vlan7 mtu 1500 10.77.0.2") {
		f.t.Error("the VLAN got the NIC's address")
	}
}

// otherAddress gives the NIC another address, and takes the link down and up.
func (f *faultRig) otherAddress() {
	f.typeLine("address ens2 10.77.0.3/24")
	f.expect(f.m, "its address 10.77.0.2 is gone", "logged in again after")
	f.waitWritten()
	f.run("bounce")
	f.waitWritten()
	f.waitLinks("ens2 mtu 1500 10.77.0.3/24 ")
}

// deadAddress gives the NIC an address that does not reach the target, and then a further one that
// does.
func (f *faultRig) deadAddress() {
	f.typeLine("address ens2 10.99.0.9/24")
	f.expect(f.m, "its address 10.77.0.3 is gone", "10.77.0.2/24 put back")
	f.waitWritten()
	f.typeLine("address ens2 + 10.77.0.4/24")
	f.expect(f.m, "moved from 10.77.0.2 to 10.77.0.4")
	f.waitWritten()
	f.waitLinks("ens2 mtu 1500 10.99.0.9/24 10.77.0.4/24 ")
}

// bridged makes the NIC a port of a bridge, as on a hypervisor, and removes it again. The address
// is the boot's.
func (f *faultRig) bridged() {
	f.typeLine("address ens2 10.77.0.2/24")
	f.expect(f.m, "logged in again after")
	f.waitWritten()
	f.run("master bridge br0")
	f.waitWritten()
	f.waitLinks("br0 mtu 1500 10.77.0.2/24 ", "ens2 mtu 1500 fe80.* part of br0")
	f.run("nomaster")
	f.waitWritten()
	f.waitLinks("ens2 mtu 1500 10.77.0.2/24 ")
}

// bonded makes the NIC a port of a bond, for which it must be down, and removes it again.
func (f *faultRig) bonded() {
	f.run("master bond bond1")
	f.waitWritten()
	f.waitLinks("bond1 mtu 1500 10.77.0.2/24 ", "ens2 mtu 1500 .*part of bond1")
	f.run("nomaster")
	f.waitWritten()
	f.waitLinks("ens2 mtu 1500 10.77.0.2/24 ")
}

// vrf adds the NIC to a VRF, where only sockets that are bound to it reach the target.
func (f *faultRig) vrf() {
	f.run("master vrf blue")
	f.waitRecovered()
	f.waitLinks("ens2 mtu 1500 10.77.0.2/24 ")
	f.run("nomaster")
	f.waitRecovered()
}

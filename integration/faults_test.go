package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/lab"
	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// faultLine has short timers, so that a silent network is detected within five seconds.
const faultLine = "console=ttyS0 rw " + seedLine + ",10.77.0.1:3263 " + oneWayLine + "iscsi_nop_interval=2 iscsi_nop_timeout=3 "

// Faults of a target, one after the other, under write load: a reset, also at every PDU of the
// login that follows, async messages, a secret that is changed and changed back, portals that go
// down and up, an outage under memory pressure during which the agent is killed, and a move to
// another portal.
func TestTargetFaults(t *testing.T) {
	f := newFaultRig(t, 320)
	f.m = f.start(virtio, lab.MachineConfig{Append: faultLine, MemoryMiB: 256, NICs: []lab.NIC{{Tap: f.tap}}})
	f.waitAgent()
	f.waitWritten()
	f.resets()
	f.messages()
	f.secrets()
	f.portals()
	f.pressure()
	f.moved()
	f.endGuest()
	if err := f.first.Inject(iscsi.AsyncMessage{Event: iscsi.AsyncSCSI}); err != nil {
		t.Error(err)
	}
	f.expect(f.m, "guest: alone: the connection is failed")
	if err := f.m.Stop(); err != nil {
		t.Fatal(err)
	}
	f.stopTarget()
	f.checkFileSystem()
}

// resets resets the connection, and then at each PDU of the four exchanges of the next login, in
// both directions.
func (f *faultRig) resets() {
	closeConnections(f.rig, f.target)
	f.waitLost("")
	f.waitRecovered()
	const exchanges = 4 // method, algorithm, proof, operational parameters
	f.first.Set(faultproxy.Fault{Direction: faultproxy.ToTarget, PDU: 1, Action: faultproxy.Reset})
	f.first.Reset()
	f.waitLost("")
	for n := range 2 * exchanges {
		before := f.first.Triggered()
		if n > 0 {
			f.first.Set(faultproxy.Fault{Direction: faultproxy.Direction(n % 2), PDU: n/2 + 1, Action: faultproxy.Reset})
		}
		f.waitFault(before)
	}
	f.first.Set()
	f.waitRecovered()
}

// messages injects async messages that no target in the lab sends.
func (f *faultRig) messages() {
	for _, m := range []iscsi.AsyncMessage{
		{Event: iscsi.AsyncLogoutRequest, Parameter3: 3},
		{Event: iscsi.AsyncDropConnection, Parameter2: 1},
		{Event: iscsi.AsyncDropSession},
		{Event: iscsi.AsyncNegotiate, Parameter3: 3},
	} {
		if err := f.first.Inject(m); err != nil {
			f.t.Fatal(err)
		}
		f.waitLost("target sent: " + m.Event.String())
		f.waitRecovered()
	}
	logins := f.first.Live()
	if err := f.first.Inject(iscsi.AsyncMessage{Event: iscsi.AsyncSCSI}); err != nil {
		f.t.Fatal(err)
	}
	f.waitWritten()
	if now := f.first.Live(); now != logins {
		f.t.Errorf("%d logins for a SCSI event", now-logins)
	}
}

// secrets changes the secret at the target and restores it.
func (f *faultRig) secrets() {
	f.stopTarget()
	f.waitLost("")
	f.startTarget("another-secret-here")
	f.expect(f.m, "refused (0201)")
	f.stopTarget()
	f.startTarget(oneWay.Secret)
	f.waitRecovered()
}

// portals stops the first portal, starts it again, and stops the second.
func (f *faultRig) portals() {
	second := f.proxyToRoot("10.77.0.1:3263")
	_ = f.first.Close()
	f.waitLost("")
	f.waitRecovered()
	if second.Live() == 0 {
		f.t.Error("the second portal was not used")
	}
	f.first = f.proxyToRoot("10.77.0.1:3260")
	_ = second.Close()
	f.waitLost("")
	f.waitRecovered()
}

// pressure fills the guest's memory with dirty pages of root, and kills the agent's worker, while
// the target is down.
func (f *faultRig) pressure() {
	f.stopTarget()
	f.waitLost("")
	f.run("pressure")
	f.checkShown(f.m, "guest: pressure: ")
	f.typeLine("signal 9 @iscsiroot-agent")
	f.expect(f.m, "its worker ended: started another one")
	f.sleep(2 * time.Second)
	f.typeLine("signal 6 @iscsiroot-agent")
	f.expect(f.m, "its worker ended: started another one")
	f.sleep(3 * time.Second)
	f.startTarget(oneWay.Secret)
	f.expect(f.m, "logged in again after", "guest: pressure: wrote ")
	f.waitWritten()
}

// moved starts the target at another portal; at its old portal another target redirects logins
// there.
func (f *faultRig) moved() {
	f.stopTarget()
	f.waitLost("")
	elsewhere := f.tgtdWith(targets.Config{Name: targetName, Portal: portal(3264), LUNs: map[int]string{1: f.disk.Path}, CHAP: oneWay})
	_ = f.first.Close()
	f.first = f.proxy("10.77.0.1:3265", portal(3264))
	f.first.Follow()
	f.tgtdWith(targets.Config{
		Name: targetName, Portal: portal(3260), LUNs: map[int]string{1: f.emptyDisk()}, CHAP: oneWay, Redirect: &targets.Redirect{To: portal(3265)},
	})
	f.target = elsewhere
	f.waitRecovered()
}

// Faults of the network: a link that is down for a moment and for longer, a network that drops all
// frames, an address that the system removes and a link that it renames; a second target that is
// down for longer than recovery_tmo, and a third one that starts late. TestSoakLongOutages has
// outages of minutes.
func TestNetworkFaults(t *testing.T) {
	f := newFaultRig(t, 96)
	second := targets.Config{Name: "iqn.2007-01.com.example:storage.data", Portal: portal(3270), LUNs: map[int]string{1: f.emptyDisk()}}
	late := targets.Config{Name: "iqn.2007-01.com.example:storage.late", Portal: portal(3271), LUNs: map[int]string{1: f.emptyDisk()}}
	data := f.tgtdWith(second)
	f.m = f.boot(virtio, "", faultLine+"iscsi_t.2="+second.Name+" iscsi_a.2=10.77.0.1:3270 iscsi_t.3="+late.Name+" iscsi_a.3=10.77.0.1:3271")
	f.expect(f.m, "target "+late.Name+" is not logged in: starting the real system without it, the agent continues the logins")
	f.waitAgent()
	f.waitWritten()
	f.run("holds")
	f.checkShown(f.m, " agents hold 0 files of root")
	f.tgtdWith(late)
	f.expect(f.m, late.Name+": logged in again after", "[sdc] Attached SCSI disk")
	f.links()
	f.addresses()
	f.expire(data, second)
	f.run("agent")
	f.run("holds")
	f.checkShown(f.m, "guest: 2 agents hold 0 files of root", "guest: status: link lan0 mac ")
	f.run("run /run/initramfs/shutdown status")
	f.checkShown(f.m, "guest: out: session 1: logged in (connection up), root is on it", "guest: out:   kept by    iscsiroot",
		"guest: out: network lan0 (52:54:00:77:00:01): 10.77.0.2/24, static, put back 2 times", "guest: out: agent: running",
		"guest: out:   /run/NetworkManager/conf.d/50-iscsiroot.conf")
	f.endGuest()
	f.expect(f.m, "2 agents ended") // endGuest has consumed the begin of the line
	if err := f.m.Stop(); err != nil {
		t.Fatal(err)
	}
	f.stopTarget()
	f.checkFileSystem()
}

// links pulls the cable for three seconds, and for eight, in which the connection is lost, and then
// drops all frames for twelve, in which an attempt to connect times out too.
func (f *faultRig) links() {
	for _, d := range []time.Duration{3 * time.Second, 8 * time.Second} {
		f.link(false)
		f.sleep(d)
		f.link(true)
		f.waitWritten() // after the short one the TCP connection may survive
	}
	f.checkShown(f.m, targetName+": logged in again after")
	if err := f.tap.SetUp(false); err != nil {
		f.t.Fatal(err)
	}
	f.sleep(12 * time.Second)
	if err := f.tap.SetUp(true); err != nil {
		f.t.Fatal(err)
	}
	f.waitRecovered()
}

// addresses removes the address, and renames the link.
func (f *faultRig) addresses() {
	f.typeLine("flush")
	f.expect(f.m, "ens2 lost 10.77.0.2/24: put back")
	f.waitWritten()
	f.typeLine("rename lan0")
	f.expect(f.m, "ens2 was renamed to lan0", "lan0 was taken down: put back")
	f.waitWritten()
}

// expire stops a target for longer than recovery_tmo: reads from its disk fail, and the disk works
// again after the login.
func (f *faultRig) expire(target *targets.Tgtd, c targets.Config) {
	f.typeLine("read sdb")
	f.expect(f.m, "guest: read sdb: <nil>, running")
	f.run("expire 3")
	if err := target.Stop(); err != nil {
		f.t.Fatal(err)
	}
	f.expect(f.m, c.Name+": connection lost")
	f.typeLine("read sdb")
	f.expect(f.m, "guest: read sdb: input/output error, transport-offline")
	f.tgtdWith(c)
	f.expect(f.m, c.Name+": logged in again")
	f.typeLine("read sdb")
	f.expect(f.m, "guest: read sdb: <nil>, running")
}

// Another machine with the same initiator name, at a target without CHAP: the two reinstate each
// other's session until the agent detects the duplicate and pauses its logins.
// TestSoakDuplicateInitiatorName waits for the end of the pause.
func TestDuplicateInitiatorName(t *testing.T) {
	f := duplicateInitiator(t)
	f.checkNotShown(f.m, "I/O error, dev sda", "EXT4-fs error")
}

// duplicateInitiator returns a machine that pauses its logins for a duplicate initiator, which has
// ended.
func duplicateInitiator(t *testing.T) *faultRig {
	f := newFaultRigWith(t, 96, targets.CHAP{})
	f.m = f.boot(virtio, "", strings.ReplaceAll(faultLine, oneWayLine, ""))
	f.waitAgent()
	f.waitWritten()
	stop := f.startDuplicate()
	f.expect(f.m, "another machine uses the same initiator name", "for 60 s")
	stop()
	return f
}

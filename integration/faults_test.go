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

// faultLine has the timers short, so that a silent network is noticed within five seconds.
const faultLine = "console=ttyS0 rw " + seedLine + ",10.77.0.1:3263 " + oneWayLine + "iscsi_nop_interval=2 iscsi_nop_timeout=3 "

// What a target does to a session, one after the other, under write load: a reset, also of every PDU of the login that follows,
// messages that ask for something, a secret that is changed and changed back, portals that come and go, an end with data that
// memory has no room for while the agent is being killed, and a move while it was away.
func TestTargetFaults(t *testing.T) {
	f := newFaultRig(t, 320)
	f.m = f.start(virtio, lab.MachineConfig{Append: faultLine, MemoryMiB: 256, NICs: []lab.NIC{{Tap: f.tap}}})
	f.watched()
	f.writes()
	f.resets()
	f.messages()
	f.secrets()
	f.portals()
	f.pressure()
	f.moved()
	f.end()
	if err := f.first.Inject(iscsi.AsyncMessage{Event: iscsi.AsyncSCSI}); err != nil {
		t.Error(err)
	}
	f.expect(f.m, "guest: alone: the connection is failed")
	if err := f.m.Stop(); err != nil {
		t.Fatal(err)
	}
	f.stopTarget()
	f.whole()
}

// resets cuts the connection, and then each PDU of the four exchanges of the next login, both ways.
func (f *faultRig) resets() {
	closeConnections(f.rig, f.target)
	f.lost("")
	f.recovered()
	const exchanges = 4 // method, algorithm, proof, operational parameters
	f.first.Set(faultproxy.Fault{Direction: faultproxy.ToTarget, PDU: 1, Action: faultproxy.Reset})
	f.first.Reset()
	f.lost("")
	for n := range 2 * exchanges {
		before := f.first.Struck()
		if n > 0 {
			f.first.Set(faultproxy.Fault{Direction: faultproxy.Direction(n % 2), PDU: n/2 + 1, Action: faultproxy.Reset})
		}
		f.struck(before)
	}
	f.first.Set()
	f.recovered()
}

// messages sends what no target at hand sends.
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
		f.lost("target sent: " + m.Event.String())
		f.recovered()
	}
	logins := f.first.Live()
	if err := f.first.Inject(iscsi.AsyncMessage{Event: iscsi.AsyncSCSI}); err != nil {
		f.t.Fatal(err)
	}
	f.writes()
	if now := f.first.Live(); now != logins {
		f.t.Errorf("%d logins for a SCSI event", now-logins)
	}
}

// secrets changes the secret at the target and changes it back.
func (f *faultRig) secrets() {
	f.stopTarget()
	f.lost("")
	f.startTarget("another-secret-here")
	f.expect(f.m, "refused (0201)")
	f.stopTarget()
	f.startTarget(oneWay.Secret)
	f.recovered()
}

// portals takes the first away, and back, and the second away.
func (f *faultRig) portals() {
	second := f.follow("10.77.0.1:3263")
	_ = f.first.Close()
	f.lost("")
	f.recovered()
	if second.Live() == 0 {
		f.t.Error("the second portal was not used")
	}
	f.first = f.follow("10.77.0.1:3260")
	_ = second.Close()
	f.lost("")
	f.recovered()
}

// pressure fills the memory with what the target must take, and kills the agent's worker, while the target is away.
func (f *faultRig) pressure() {
	f.stopTarget()
	f.lost("")
	f.do("pressure")
	f.shows(f.m, "guest: pressure: ")
	f.typed("signal 9 @iscsiroot-agent")
	f.expect(f.m, "its worker ended: started another one")
	f.sleep(2 * time.Second)
	f.typed("signal 6 @iscsiroot-agent")
	f.expect(f.m, "its worker ended: started another one")
	f.sleep(3 * time.Second)
	f.startTarget(oneWay.Secret)
	f.expect(f.m, "logged in again after", "guest: pressure: wrote ")
	f.writes()
}

// moved starts the target elsewhere; where it was, another one sends people there.
func (f *faultRig) moved() {
	f.stopTarget()
	f.lost("")
	elsewhere := f.tgtdWith(targets.Config{Name: targetName, Portal: portal(3264), LUNs: map[int]string{1: f.disk.Path}, CHAP: oneWay})
	_ = f.first.Close()
	f.first = f.proxy("10.77.0.1:3265", portal(3264))
	f.first.Follow()
	f.tgtdWith(targets.Config{
		Name: targetName, Portal: portal(3260), LUNs: map[int]string{1: f.emptyDisk()}, CHAP: oneWay, Redirect: &targets.Redirect{To: portal(3265)},
	})
	f.target = elsewhere
	f.recovered()
}

// What the network does: a link that is down for a moment and for longer, a hole that everything falls into, an address and a
// name that the system takes away; a second target that is away for longer than the kernel waits, and a third one that comes up
// late. TestSoakLongOutages has outages of minutes.
func TestNetworkFaults(t *testing.T) {
	f := newFaultRig(t, 96)
	second := targets.Config{Name: "iqn.2007-01.com.example:storage.data", Portal: portal(3270), LUNs: map[int]string{1: f.emptyDisk()}}
	late := targets.Config{Name: "iqn.2007-01.com.example:storage.late", Portal: portal(3271), LUNs: map[int]string{1: f.emptyDisk()}}
	data := f.tgtdWith(second)
	f.m = f.boot(virtio, "", faultLine+"iscsi_t.2="+second.Name+" iscsi_a.2=10.77.0.1:3270 iscsi_t.3="+late.Name+" iscsi_a.3=10.77.0.1:3271")
	f.expect(f.m, "target "+late.Name+" is not logged in: starting the real system without it, the agent continues the logins")
	f.watched()
	f.writes()
	f.do("holds")
	f.shows(f.m, " agents hold 0 files of root")
	f.tgtdWith(late)
	f.expect(f.m, late.Name+": logged in again after", "[sdc] Attached SCSI disk")
	f.links()
	f.addresses()
	f.expire(data, second)
	f.do("agent")
	f.do("holds")
	f.shows(f.m, "guest: 2 agents hold 0 files of root", "guest: status: link lan0 mac ")
	f.do("run /run/initramfs/shutdown status")
	f.shows(f.m, "guest: out: session 1: logged in (connection up), root is on it", "guest: out:   kept by    iscsiroot",
		"guest: out: network lan0 (52:54:00:77:00:01): 10.77.0.2/24, static, put back 2 times", "guest: out: agent: running",
		"guest: out:   /run/NetworkManager/conf.d/50-iscsiroot.conf")
	f.end()
	f.expect(f.m, "2 agents ended") // end has read the rest of the line
	if err := f.m.Stop(); err != nil {
		t.Fatal(err)
	}
	f.stopTarget()
	f.whole()
}

// links pulls the cable for three seconds, and for eight, in which the session is lost, and then loses all that is sent for twelve,
// in which an attempt to connect ends too.
func (f *faultRig) links() {
	for _, d := range []time.Duration{3 * time.Second, 8 * time.Second} {
		f.link(false)
		f.sleep(d)
		f.link(true)
		f.writes() // after the short one TCP may go on by itself
	}
	f.shows(f.m, targetName+": logged in again after")
	if err := f.tap.SetUp(false); err != nil {
		f.t.Fatal(err)
	}
	f.sleep(12 * time.Second)
	if err := f.tap.SetUp(true); err != nil {
		f.t.Fatal(err)
	}
	f.recovered()
}

// addresses takes the address away, and the link with its name.
func (f *faultRig) addresses() {
	f.typed("flush")
	f.expect(f.m, "ens2 lost 10.77.0.2/24: put back")
	f.writes()
	f.typed("rename lan0")
	f.expect(f.m, "ens2 was renamed to lan0", "lan0 was taken down: put back")
	f.writes()
}

// expire lets a target be away for longer than the kernel waits: what reads there gets an error, and the disk comes back.
func (f *faultRig) expire(target *targets.Tgtd, c targets.Config) {
	f.typed("read sdb")
	f.expect(f.m, "guest: read sdb: <nil>, running")
	f.do("expire 3")
	if err := target.Stop(); err != nil {
		f.t.Fatal(err)
	}
	f.expect(f.m, c.Name+": connection lost")
	f.typed("read sdb")
	f.expect(f.m, "guest: read sdb: input/output error, transport-offline")
	f.tgtdWith(c)
	f.expect(f.m, c.Name+": logged in again")
	f.typed("read sdb")
	f.expect(f.m, "guest: read sdb: <nil>, running")
}

// Another machine with our name, at a target without CHAP: the two throw each other out until ours has found out why, and leaves
// the target to the other one. TestSoakTwins waits for the end of that.
func TestTwins(t *testing.T) {
	f := twins(t)
	f.hides(f.m, "I/O error, dev sda", "EXT4-fs error")
}

// twins is a machine that leaves its target to another one, which is gone.
func twins(t *testing.T) *faultRig {
	f := newFaultRigWith(t, 96, targets.CHAP{})
	f.m = f.boot(virtio, "", strings.ReplaceAll(faultLine, oneWayLine, ""))
	f.watched()
	f.writes()
	stop := f.startTwin()
	f.expect(f.m, "another machine uses the same initiator name", "for 60 s")
	stop()
	return f
}

package integration

import (
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// The ISID on the wire is the same at every boot, whether the first portal works, resets the
// connection, or is absent: the target can reinstate the old session instead of adding a second
// one.
func TestISIDStable(t *testing.T) { isidOverBoots(t, 3) }

func isidOverBoots(t *testing.T, boots int) {
	r := newPeerRig(t)
	r.dataDisk("")
	target := r.startTgtd(targets.Config{})
	first := r.proxy("10.77.0.1:3271", target.Addr())
	second := r.proxy("10.77.0.9:3272", target.Addr())
	states := []func(){
		func() {},
		func() { first.Set(faultproxy.Fault{PDU: 1, Action: faultproxy.Reset}) },
		func() { _ = first.Close() },
	}
	for boot := range boots {
		if boot < len(states) {
			states[boot]()
		}
		r.bootToRoot(virtio, machineLine+targetLine+"iscsi_a=10.77.0.1:3271,10.77.0.9:3272")
	}
	logins := append(first.Logins(), second.Logins()...)
	if len(logins) < boots || len(second.Logins()) < boots-1 {
		t.Errorf("%d logins at the first portal and %d at the second in %d boots", len(first.Logins()), len(second.Logins()), boots)
	}
	for _, l := range logins {
		if want := [6]byte{0, 2, 0x3d, 0, 0, 1}; l.ISID != want || l.TSIH != 0 || l.CmdSN != 1 {
			t.Errorf("login %+v, want ISID %x, TSIH 0 and CmdSN 1", l, want)
		}
	}
}

// One boot with several faults in the login, one after the other, and slow answers to the first
// commands: it reaches its root, with its data, at the sixth attempt.
func TestBootThroughFaults(t *testing.T) {
	r := newPeerRig(t)
	r.dataDisk("")
	target := r.startTgtd(targets.Config{CHAP: oneWay})
	fault := func(connection int, d faultproxy.Direction, pdu int, a faultproxy.Action) faultproxy.Fault {
		return faultproxy.Fault{Direction: d, PDU: pdu, Action: a, Pause: 5 * time.Millisecond, From: connection, Until: connection + 1}
	}
	p := r.proxy("10.77.0.1:3271", target.Addr(),
		fault(0, faultproxy.ToTarget, 1, faultproxy.Reset),
		fault(1, faultproxy.ToInitiator, 2, faultproxy.Close),
		fault(2, faultproxy.ToInitiator, 3, faultproxy.Truncate),
		fault(3, faultproxy.ToTarget, 4, faultproxy.Reset),
		fault(4, faultproxy.ToInitiator, 4, faultproxy.Close),
		fault(5, faultproxy.ToInitiator, 2, faultproxy.Bytewise),
		fault(5, faultproxy.ToTarget, 3, faultproxy.Bytewise),
		fault(5, faultproxy.ToInitiator, 5, faultproxy.Bytewise),
		fault(5, faultproxy.ToInitiator, 6, faultproxy.Delay))
	r.bootToRoot(virtio, machineLine+targetLine+oneWayLine+"iscsi_chap=md5 iscsi_a=10.77.0.1:3271", "iscsiroot: login: succeeded after")
	if n := p.Triggered(); n != 9 || len(p.Logins()) != 6 {
		t.Errorf("%d faults in %d logins, want 9 in 6", n, len(p.Logins()))
	}
}

//go:build soak

package integration

import (
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
	"github.com/iscsiroot/iscsiroot/pkg/lab/targets"
)

// Ten boots, one ISID.
func TestSoakISID(t *testing.T) { isidOverBoots(t, 10) }

// LIO of a newer kernel.
func TestSoakLIO612(t *testing.T) { lioBoots(t, "amd64-6.12") }

// loginExchanges is the number of PDUs in each direction of a login with CHAP.
const loginExchanges = 4

// Each fault at each PDU of a login with CHAP, in both directions, with one boot for each fault and
// direction: one connection after the other loses its first, second, third and fourth PDU, and the
// fifth login succeeds. Faults that lose nothing are injected at all of the first six PDUs of one
// connection.
func TestSoakFaultMatrix(t *testing.T) {
	for _, a := range faultproxy.Actions() {
		for _, d := range []faultproxy.Direction{faultproxy.ToTarget, faultproxy.ToInitiator} {
			t.Run(a.String()+" "+d.String(), func(t *testing.T) { bootLoginFaults(t, a, d) })
		}
	}
}

func bootLoginFaults(t *testing.T, a faultproxy.Action, d faultproxy.Direction) {
	r := newPeerRig(t)
	r.dataDisk("")
	target := r.startTgtd(targets.Config{CHAP: oneWay})
	loses := a != faultproxy.Delay && a != faultproxy.Bytewise
	var faults []faultproxy.Fault
	for i := range loginExchanges {
		faults = append(faults, faultproxy.Fault{Direction: d, PDU: i + 1, Action: a, From: i, Until: i + 1})
	}
	logins := loginExchanges + 1
	if !loses {
		faults, logins = nil, 1
		for i := range exchanges {
			faults = append(faults, faultproxy.Fault{Direction: d, PDU: i + 1, Action: a, Pause: 20 * time.Millisecond})
		}
	}
	p := r.proxy("10.77.0.1:3271", target.Addr(), faults...)
	r.bootToRoot(virtio, machineLine+targetLine+oneWayLine+"iscsi_chap=md5 iscsi_a=10.77.0.1:3271")
	if n := len(p.Logins()); p.Triggered() != len(faults) || n != logins {
		t.Errorf("%d faults injected in %d logins, want %d in %d", p.Triggered(), n, len(faults), logins)
	}
}

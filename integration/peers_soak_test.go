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

// loginExchanges is how many PDUs go each way in a login with CHAP.
const loginExchanges = 4

// Each PDU of a login with CHAP, in both directions, is struck by each fault, in a boot of their own for each fault and direction:
// one connection after the other loses its first, second, third and fourth PDU, and the fifth gets through. Faults that lose
// nothing strike all of the first six PDUs of one connection.
func TestSoakFaultMatrix(t *testing.T) {
	for _, a := range faultproxy.Actions() {
		for _, d := range []faultproxy.Direction{faultproxy.ToTarget, faultproxy.ToInitiator} {
			t.Run(a.String()+" "+d.String(), func(t *testing.T) { bootStruck(t, a, d) })
		}
	}
}

func bootStruck(t *testing.T, a faultproxy.Action, d faultproxy.Direction) {
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
	r.toRoot(virtio, machineLine+targetLine+oneWayLine+"iscsi_chap=md5 iscsi_a=10.77.0.1:3271")
	if n := len(p.Logins()); p.Struck() != len(faults) || n != logins {
		t.Errorf("struck %d times in %d logins, want %d in %d", p.Struck(), n, len(faults), logins)
	}
}

package integration

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
)

// Many faults in a short time: resets at random, and between them, overlapping, a target that is
// killed and a cable that is pulled. After each the session recovers, none is reported as a
// duplicate initiator name, and none causes an I/O error, even if twelve come during one command,
// which SCSI retries five times.
func TestManyOutages(t *testing.T) { manyOutages(t, 15*time.Second, 25) }

// manyOutages breaks root's connection a number of times within a duration, at random.
func manyOutages(t *testing.T, long time.Duration, breaks int) {
	f := newFaultRig(t, 320)
	f.m = f.boot(virtio, "", faultLine)
	f.waitAgent()
	f.waitWritten()
	f.oneCommand(12)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	begin := time.Now()
	for i := range breaks {
		f.sleep(time.Duration(random.Int64N(int64(2 * long / time.Duration(breaks)))))
		f.breakConnection(i)
	}
	took := time.Since(begin)
	f.waitWritten()
	outages := outageLines.FindAllStringSubmatch(f.m.Output(), -1)
	if len(outages) < breaks/2 {
		t.Errorf("%d outages after %d faults", len(outages), breaks)
	}
	t.Logf("%d faults in %v, %d outages, the last of %s s", breaks, took, len(outages), outages[len(outages)-1][1])
	f.checkNoPause()
	f.finish()
}

var outageLines = regexp.MustCompile(`(?:logged in again|goes on by itself) after (\d+\.\d) s`)

// breakConnection injects one fault: mostly a reset, sometimes a restart of the target while the
// cable is pulled, or a cable that flaps.
func (f *faultRig) breakConnection(i int) {
	f.t.Helper()
	switch i % 8 {
	case 3:
		f.stopTarget()
		f.link(false)
		f.sleep(500 * time.Millisecond)
		f.startTarget(oneWay.Secret)
		f.first.Reset()
		f.link(true)
	case 6:
		for range 3 {
			f.link(false)
			f.sleep(100 * time.Millisecond)
			f.link(true)
			f.sleep(100 * time.Millisecond)
		}
	default:
		f.first.Reset()
	}
}

// oneCommand resets a number of connections at the first PDUs after their login: a waiting command
// is sent again on each of them.
func (f *faultRig) oneCommand(breaks int) {
	f.t.Helper()
	const behind = 4 + 2 // the login has four exchanges
	before := f.first.Triggered()
	f.first.Set(faultproxy.Fault{Direction: faultproxy.ToTarget, PDU: behind, Action: faultproxy.Reset})
	f.first.Reset()
	for n := range breaks {
		f.waitFault(before + n)
	}
	f.first.Set()
	f.waitRecovered()
}

// checkNoPause checks that no fault was reported as a duplicate initiator name, and that the agent
// has not paused.
func (f *faultRig) checkNoPause() {
	f.t.Helper()
	for _, bad := range []string{"another machine", "pause requested by the target"} {
		if strings.Contains(f.m.Output(), bad) {
			f.t.Errorf("the console shows %q", bad)
		}
	}
}

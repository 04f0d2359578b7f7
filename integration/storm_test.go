package integration

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
)

// Many breaks in a short time: resets at random, and between them, overlapping, a target that is killed and a cable that is
// pulled. After each the session recovers, none is taken for another machine with our name, and none is an I/O error, also where twelve breaks
// come within the life of one command, to which SCSI gives five retries.
func TestStormOfBreaks(t *testing.T) { storm(t, 15*time.Second, 25) }

// storm breaks root's connection so often in a time, at random.
func storm(t *testing.T, long time.Duration, breaks int) {
	f := newFaultRig(t, 320)
	f.m = f.boot(virtio, "", faultLine)
	f.watched()
	f.writes()
	f.oneCommand(12)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	begin := time.Now()
	for i := range breaks {
		f.sleep(time.Duration(random.Int64N(int64(2 * long / time.Duration(breaks)))))
		f.breakOnce(i)
	}
	took := time.Since(begin)
	f.writes()
	outages := outageLines.FindAllStringSubmatch(f.m.Output(), -1)
	if len(outages) < breaks/2 {
		t.Errorf("%d outages of %d breaks", len(outages), breaks)
	}
	t.Logf("%d breaks in %v, %d outages, the last of %s s", breaks, took, len(outages), outages[len(outages)-1][1])
	f.calm()
	f.finish()
}

var outageLines = regexp.MustCompile(`(?:logged in again|goes on by itself) after (\d+\.\d) s`)

// breakOnce is one break: mostly a reset, sometimes the target's end while the cable is out, or a cable that flaps.
func (f *faultRig) breakOnce(i int) {
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

// oneCommand breaks so many connections at the first PDUs behind their login: a command that waits is sent by each of them.
func (f *faultRig) oneCommand(breaks int) {
	f.t.Helper()
	const behind = 4 + 2 // the login has four exchanges
	before := f.first.Struck()
	f.first.Set(faultproxy.Fault{Direction: faultproxy.ToTarget, PDU: behind, Action: faultproxy.Reset})
	f.first.Reset()
	for n := range breaks {
		f.struck(before + n)
	}
	f.first.Set()
	f.recovered()
}

// calm checks that no break was taken for another machine's doing, and that the agent has not waited on purpose.
func (f *faultRig) calm() {
	f.t.Helper()
	for _, bad := range []string{"another machine", "pause requested by the target"} {
		if strings.Contains(f.m.Output(), bad) {
			f.t.Errorf("the console shows %q", bad)
		}
	}
}

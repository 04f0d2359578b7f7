//go:build bench

package integration

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// recoveryRounds is the number of measurements of each fault, all within recoveryDeadline.
const (
	recoveryRounds   = 20
	recoveryDeadline = 20 * time.Minute
)

// TestRecoveryTime measures, on one machine under write load, the time from an outage's end to the
// next command, and the memory and processor time of the agent.
func TestRecoveryTime(t *testing.T) {
	f := newFaultRig(t, 320)
	ctx, cancel := context.WithTimeout(t.Context(), recoveryDeadline)
	t.Cleanup(cancel)
	f.ctx = ctx
	var portal, carrier []time.Duration
	defer func() { // also after a failure
		report(t, "after the portal listens again", portal)
		report(t, "after the carrier is back", carrier)
	}()
	f.m = f.boot(virtio, "", faultLine)
	f.waitAgent()
	f.waitWritten()
	f.sleep(10 * time.Second) // until the agent has settled
	for range recoveryRounds {
		_ = f.first.Close()
		f.sleep(time.Second + rand.N(9*time.Second))
		began := time.Now()
		f.first = f.proxyToRoot("10.77.0.1:3260")
		portal = append(portal, f.until(began))
		f.waitWritten()
	}
	for i := range recoveryRounds {
		f.link(false)
		f.sleep(2*time.Second + time.Duration(i)*time.Second/2 + rand.N(time.Second))
		began := time.Now()
		next := f.first.Next()
		f.link(true)
		select {
		case at := <-next:
			carrier = append(carrier, at.Sub(began))
		case <-f.ctx.Done():
			t.Fatal(f.ctx.Err())
		}
		f.waitWritten()
	}
	f.run("agent")
	f.endGuest()
	if err := f.m.Stop(); err != nil {
		t.Fatal(err)
	}
	f.stopTarget()
	f.checkFileSystem()
	for line := range strings.Lines(f.m.Output()) {
		if strings.Contains(line, "RssAnon") || strings.Contains(line, "VmRSS") || strings.Contains(line, "processor time") || strings.Contains(line, "guest: alone: ") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// report logs median, minimum and maximum.
func report(t *testing.T, what string, d []time.Duration) {
	t.Helper()
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	t.Logf("%s: median %.2f s, from %.2f to %.2f s, of %d", what, d[len(d)/2].Seconds(), d[0].Seconds(), d[len(d)-1].Seconds(), len(d))
}

// until is the time from began to the next PDU at the first proxy.
func (f *faultRig) until(began time.Time) time.Duration {
	select {
	case at := <-f.first.Next():
		return at.Sub(began)
	case <-f.ctx.Done():
		f.t.Fatal(f.ctx.Err())
		return 0
	}
}

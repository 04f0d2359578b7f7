package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// After a power cut all machines begin at the same moment. Once they have tried
// a few times, no tenth of a second has more than twice its share of their
// tries.
func TestRetriesDoNotBeat(t *testing.T) {
	const machines, width, begin, end = 200, 100 * time.Millisecond, 20 * time.Second, 120 * time.Second
	histogram := make([]int, end/width)
	tries := 0
	for range machines {
		var b backoff
		for at := time.Duration(0); at < end; at += b.next() {
			histogram[at/width]++
			if at >= begin {
				tries++
			}
		}
	}
	share := float64(tries) / float64((end-begin)/width)
	most := 0
	for i := begin / width; i < end/width; i++ {
		most = max(most, histogram[i])
	}
	// About 4 are the share; the extreme of a thousand such numbers is by
	// chance near 13, and is near 200 if they beat.
	if float64(most) > 5*share {
		t.Errorf("%d tries in a tenth of a second, the share is %.1f\n%s", most, share, draw(histogram, 10))
	}
	second := make([]int, end/time.Second)
	for i, n := range histogram {
		second[i/10] += n
	}
	for i := int(begin / time.Second); i < len(second); i++ {
		if float64(second[i]) > 20*share || float64(second[i]) < 2*share {
			t.Errorf("second %d has %d tries, the share is %.0f", i, second[i], 10*share)
		}
	}
	if testing.Verbose() {
		t.Logf("tries of %d machines by the second:\n%s", machines, draw(histogram, 10))
	}
}

// draw draws a histogram with so many numbers in a line.
func draw(histogram []int, per int) string {
	var out strings.Builder
	for i := 0; i+per <= len(histogram); i += per {
		n := 0
		for _, v := range histogram[i : i+per] {
			n += v
		}
		fmt.Fprintf(&out, "%3d %4d %s\n", i/per, n, strings.Repeat("#", n/4))
	}
	return out.String()
}

// unready is a login that can be tried again.
type unready struct{ error }

func (unready) Heals() bool { return true }

// 200 machines at a target that admits 20 at a time, half a second each: all of
// them get in.
func TestBootStorm(t *testing.T) {
	const machines = 200
	synctest.Test(t, func(t *testing.T) {
		target := &iscsitest.Target{Admit: 20, Hold: 500 * time.Millisecond, Full: 0x0302}
		began := time.Now()
		var failed sync.Map
		var all sync.WaitGroup
		for i := range machines {
			all.Go(func() {
				r := Runner{Log: &recorder{}, Steps: []Step{{Name: "login", Run: stormLogin(t, target, i)}}}
				if f := r.Run(t.Context()); f != nil {
					failed.Store(i, f)
				}
			})
		}
		all.Wait()
		failed.Range(func(i, f any) bool {
			t.Errorf("machine %v: %v", i, f)
			return true
		})
		// 10 rounds of half a second is what the target needs at least.
		took := time.Since(began)
		if target.Logins() != machines || target.Refusals() == 0 || took < 4500*time.Millisecond || took > time.Minute {
			t.Errorf("%d logins, %d refusals, %v", target.Logins(), target.Refusals(), took)
		}
		t.Logf("%d machines are in after %v, %d were turned away", machines, took, target.Refusals())
	})
}

// stormLogin is one try of one machine, which leaves as soon as it is in: the
// target's places are for logins.
func stormLogin(t *testing.T, target *iscsitest.Target, machine int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		conn, wait := target.Start()
		_, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), iscsi.LoginConfig{
			InitiatorName: fmt.Sprintf("iqn.2007-01.com.example:machine%d", machine), TargetName: "iqn.2007-01.com.example:storage", CmdSN: 1,
		})
		_ = wait()
		var status *iscsi.StatusError
		if errors.As(err, &status) && status.Heals() {
			return unready{err}
		}
		if err != nil {
			t.Errorf("machine %d: %v", machine, err)
		}
		return nil
	}
}

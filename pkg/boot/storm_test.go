package boot

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// The boot storm after a power cut: a target that admits twenty logins at a
// time, each for half a second, and answers the others with 0302.
const (
	stormMachines = 200
	stormAdmit    = 20
	stormHold     = 500 * time.Millisecond
	stormBucket   = 50 * time.Millisecond
)

// TestStorm: in the end all are logged in, and their tries spread: those who
// began in step do not stay in step. The same storm without jitter is the
// measure.
func TestStorm(t *testing.T) {
	inStep := func(b *backoff) time.Duration {
		b.next()
		return b.last
	}
	took, peak := bootStorm(t, (*backoff).next)
	_, beat := bootStorm(t, inStep)
	t.Logf("%d machines in %v; at most %d in %v from the fourth try on, %d without jitter", stormMachines, took, peak, stormBucket, beat)
	if best := stormHold * (stormMachines/stormAdmit - 1); took > 4*best {
		t.Errorf("took %v, twenty at a time need %v", took, best)
	}
	if peak > stormMachines/5 || 3*peak > beat {
		t.Errorf("retries beat: %d of %d in %v, without jitter %d", peak, stormMachines, stormBucket, beat)
	}
}

// bootStorm returns how long it took until all were logged in, and the fullest
// bucket of the histogram from the fourth try on.
func bootStorm(t *testing.T, pause func(*backoff) time.Duration) (took time.Duration, peak int) {
	synctest.Test(t, func(t *testing.T) {
		tg := &iscsitest.Target{Admit: stormAdmit, Hold: stormHold, Full: 0x0302}
		var mu sync.Mutex
		histogram := map[time.Duration]int{}
		var machines sync.WaitGroup
		begin := time.Now()
		for i := range stormMachines {
			machines.Go(func() {
				var b backoff
				for try := 1; !stormLogin(t, tg, i); try++ {
					time.Sleep(pause(&b))
					if try >= 3 { // the next one is the fourth
						mu.Lock()
						histogram[time.Since(begin)/stormBucket]++
						mu.Unlock()
					}
				}
			})
		}
		machines.Wait()
		took = time.Since(begin)
		for _, n := range histogram {
			peak = max(peak, n)
		}
		if tg.Logins() != stormMachines || tg.Refusals() == 0 {
			t.Errorf("%d logins, %d refused", tg.Logins(), tg.Refusals())
		}
		t.Log(bars(histogram, took))
		time.Sleep(stormHold) // the last places are given back
	})
	return took, peak
}

// stormLogin is one try of one machine.
func stormLogin(t *testing.T, tg *iscsitest.Target, i int) bool {
	conn, wait := tg.Start()
	_, err := iscsi.Login(t.Context(), iscsi.NewTCPPipe(conn), iscsi.LoginConfig{
		InitiatorName: fmt.Sprintf("iqn.2024-01.com.example:machine%d", i),
		TargetName:    "iqn.2024-01.com.example:disk",
		CmdSN:         1,
	})
	if werr := wait(); werr != nil {
		t.Error(werr)
	}
	if err != nil && iscsitest.Outcome(err) != "status 0302" {
		t.Error(err)
	}
	return err == nil
}

// bars draws a histogram of tries, a line for each quarter of a second.
func bars(histogram map[time.Duration]int, until time.Duration) string {
	const line = 5
	out := "\n"
	for at := time.Duration(0); at <= until/stormBucket; at += line {
		n := 0
		for i := range time.Duration(line) {
			n += histogram[at+i]
		}
		if n == 0 {
			continue
		}
		out += fmt.Sprintf("%6.2f s %4d %.*s\n", (at * stormBucket).Seconds(), n, n/2, "####################################################################################################")
	}
	return out
}

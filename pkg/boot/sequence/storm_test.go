package sequence

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// After a power cut all machines begin at the same moment. Once they have tried a few times, no
// tenth of a second has more than twice its share of their tries.
func TestRetriesSpread(t *testing.T) {
	const machines, width, begin, end = 200, 100 * time.Millisecond, 20 * time.Second, 120 * time.Second
	histogram := make([]int, end/width)
	tries := 0
	for range machines {
		var b Backoff
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
	// About 4 are the share; the extreme of a thousand such numbers is by chance near 13, and
	// is near 200 if they are in step.
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

// draw draws a histogram with per numbers in a line.
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

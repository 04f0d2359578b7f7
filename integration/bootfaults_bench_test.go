//go:build bench

package integration

import (
	"slices"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/lab/faultproxy"
)

// TestBootFaultTimes measures by how much a boot takes longer if its first connection is reset or
// goes silent, one boot at a time.
func TestBootFaultTimes(t *testing.T) {
	r := newBootFaultRig(t)
	r.fullBoot = true
	numbers := []int{1, 2, 3, 5, 7, 9, 12, 15, 19, 25, 40, 60}
	var plain []float64
	for range 5 {
		plain = append(plain, r.bootTime(r.bootWithFaults("no fault", "")))
	}
	base := median(plain)
	t.Logf("without a fault: median %.2f s from the start of /init to that of the real init, of %d", base, len(plain))
	for _, a := range []faultproxy.Action{faultproxy.Reset, faultproxy.BlackHole} {
		var added []time.Duration
		for _, s := range r.matrixRow(a, numbers) {
			added = append(added, time.Duration((s-base)*float64(time.Second)))
		}
		report(t, "added by a "+a.String(), added)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

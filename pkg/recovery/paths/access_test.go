package paths

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// The access states are read again after a unit attention, and until a change has ended.
func TestAccessAfterEvent(t *testing.T) {
	var wake func(unit bool)
	listen := func(c *Config) { c.Listen = func(_ context.Context, w func(bool)) { wake = w } }
	set := func(r *rig, access multipath.Access) { r.mu.Lock(); r.m.Paths[1].Access = access; r.mu.Unlock() }
	keeping(t, listen, func(r *rig) {
		for _, tt := range []struct {
			access multipath.Access
			after  time.Duration
		}{{multipath.NonOptimized, accessSoon}, {multipath.Standby, accessLate}} {
			wake(true)
			time.Sleep(tt.after - time.Millisecond)
			set(r, tt.access)
			synctest.Wait()
			r.expect()
			time.Sleep(2 * time.Millisecond)
			r.expect("regroup")
		}
		wake(false)
		synctest.Wait()
		set(r, multipath.Optimized)
		time.Sleep(2 * accessLate)
		r.expect()
		r.states(nil)
		r.expect("regroup")
		set(r, multipath.Transitional)
		r.states(nil)
		time.Sleep(10 * time.Second)
		set(r, multipath.NonOptimized)
		time.Sleep(accessLate + time.Millisecond)
		r.expect("regroup")
	}, multipath.Optimized, multipath.Optimized)
}

package paths

import (
	"context"
	"errors"
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

// Paths of several priorities in a group, which an earlier Keeper did not see or could not change,
// get groups of their own, unless another program has made the group.
func TestMixedGroup(t *testing.T) {
	for others, want := range map[bool][]string{false: {"regroup", "regroup"}, true: nil} {
		edit := func(c *Config) { c.Others = func() bool { return others } }
		keeping(t, edit, func(r *rig) {
			r.states(func() { r.hidden = true }) // as for a new Keeper
			r.states(func() {
				r.hidden, r.changeErr = false, errors.New("busy")
				r.m.Paths[1].Group, r.m.Groups = 0, []byte("A")
			})
			time.Sleep(time.Minute)
			r.expect(want...)
		}, multipath.Optimized, multipath.NonOptimized)
	}
}

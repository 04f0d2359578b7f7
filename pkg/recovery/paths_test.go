package recovery

import (
	"slices"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// A path whose NIC has lost the carrier is down at once, and its connection is stopped, so that
// what it has in flight goes another way. A disk without another path waits.
func TestCarrierOfPath(t *testing.T) {
	for name, tt := range map[string]struct{ path, noCarrier, down bool }{
		"path":              {true, true, true},
		"path by another":   {true, false, false},
		"disk of one path":  {false, true, false},
		"disk of any other": {false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.set(func(f *fake) { f.path, f.dialTime = tt.path, time.Minute })
				r.mu.Lock()
				r.noCarrier = tt.noCarrier
				r.mu.Unlock()
				r.network <- Change{CarrierLost: true}
				time.Sleep(time.Millisecond)
				if s := r.state(); s.Up == tt.down || r.isUp() == tt.down || tt.down && s.Cause != "its NIC has lost the carrier" {
					t.Errorf("up %v, status %+v", r.isUp(), s)
				}
				if n := r.stopped; n != map[bool]int{true: 1}[tt.down] {
					t.Errorf("stopped %d times", n)
				}
			})
		})
	}
}

// The connection of a path is stopped when the kernel reports its end, before any other is dialled.
func TestStopOfPath(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.set(func(f *fake) { f.path = true })
		r.breakConnection()
		time.Sleep(time.Second)
		if r.stopped != 1 || !r.isUp() || r.loginCount() != 1 || r.state().Outages != 1 {
			t.Errorf("stopped %d times, status %+v", r.stopped, r.state())
		}
	})
	inTime(t, func(t *testing.T, r *rig) {
		r.breakConnection()
		time.Sleep(time.Second)
		if r.stopped != 0 || !r.isUp() {
			t.Errorf("a disk of one path: stopped %d times", r.stopped)
		}
	})
}

// A session with a NIC is dialled by what stands for the NIC now alone, or as the session chooses.
func TestWaysOfNIC(t *testing.T) {
	for device, want := range map[string][]session.Way{"br0": {{Device: "br0"}}, "": nil} {
		inTime(t, func(t *testing.T, r *rig) {
			r.set(func(f *fake) { f.nic = "ens4" })
			r.mu.Lock()
			r.ways, r.devices = []session.Way{{}, {Device: "vrf"}}, map[string]string{"ens4": device}
			r.mu.Unlock()
			r.breakConnection()
			time.Sleep(time.Second)
			r.mu.Lock()
			defer r.mu.Unlock()
			if !slices.Equal(r.waysTried, want) {
				t.Errorf("%q: tried %v", device, r.waysTried)
			}
		})
	}
}

package paths

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
)

// A disk that the kernel's error handler has set offline is set running. No other state is changed.
func TestDiskOffline(t *testing.T) {
	for state, want := range map[string]string{"offline\n": "running", "transport-offline\n": "transport-offline\n", "blocked\n": "blocked\n"} {
		keeping(t, nil, func(r *rig) {
			file := r.attribute(1, "state", state)
			r.states(func() { r.readErr, r.m.Paths[1].Failed = errors.New("no such device or address"), true })
			time.Sleep(time.Second)
			if got, err := os.ReadFile(file); string(got) != want || err != nil {
				t.Errorf("%q is now %q, %v", state, got, err)
			}
		}, "", "")
	}
}

// Access states under which a path answers no read: the kernel asks for them again.
func TestProbeByAccess(t *testing.T) {
	for access, want := range map[multipath.Access][]string{
		multipath.Optimized: {"reinstate_path 8:16"}, multipath.Standby: {"reinstate_path 8:16"},
		multipath.Unavailable: nil, multipath.Offline: nil, multipath.Transitional: nil,
	} {
		keeping(t, nil, func(r *rig) {
			rescan := r.attribute(1, "rescan", "")
			r.states(func() { r.m.Paths[1].Failed = true })
			time.Sleep(time.Minute)
			r.expect(want...)
			if n := r.readsSoFar(); (n > 0) != (access == multipath.Optimized) {
				t.Errorf("%s: %d reads", access, n)
			}
			if got, _ := os.ReadFile(rescan); (string(got) == "1") != (want == nil) {
				t.Errorf("%s: %q is written", access, got)
			}
			if want == nil {
				r.states(func() { r.m.Paths[1].Access = multipath.Optimized })
				time.Sleep(maxProbePause)
				r.mu.Lock()
				r.did = slices.DeleteFunc(r.did, func(text string) bool { return text == "regroup" })
				r.mu.Unlock()
				r.expect("reinstate_path 8:16")
			}
		}, multipath.Optimized, access)
	}
}

// A disk without a size, as the kernel read it while a path had no access, is read again.
func TestDiskWithoutSize(t *testing.T) {
	for size, want := range map[string]string{"0\n": "1", "2048\n": ""} {
		keeping(t, nil, func(r *rig) {
			rescan := r.attribute(1, "rescan", "")
			r.attribute(1, "../size", size)
			r.states(func() { r.readErr, r.m.Paths[1].Failed = errors.New("no space left on device"), true })
			time.Sleep(time.Second)
			if got, err := os.ReadFile(rescan); string(got) != want || err != nil {
				t.Errorf("size %q: %q, %v", size, got, err)
			}
		}, "", "")
	}
}

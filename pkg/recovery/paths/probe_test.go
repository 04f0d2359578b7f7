package paths

import (
	"errors"
	"os"
	"testing"
	"time"
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

package status

import (
	"slices"
	"testing"
	"time"
)

// A pause before the next login is shown for as long as it lasts.
func TestWaits(t *testing.T) {
	s := parsed(t, "since-boot 90\nsession 1 target iqn.a:t state down owner iscsiroot outages 3 longest 75.2 down 20.0\nsession 1 waits 57.5\n")
	want := field{"waits", "for 47.5 s before the next login"}
	if fields := s.fields(1, 100*time.Second); !slices.Contains(fields, want) {
		t.Errorf("fields %q", fields)
	}
	if fields := s.fields(1, 200*time.Second); slices.ContainsFunc(fields, func(r field) bool { return r == want || len(fields) > 3 }) {
		t.Errorf("after its end: %q", fields)
	}
}

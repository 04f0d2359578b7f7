package status

import (
	"slices"
	"testing"
	"time"
)

// A pause before the next login is shown for as long as it lasts.
func TestWaits(t *testing.T) {
	s := parsed(t, "since-boot 90\nsession 1 target iqn.a:t state down owner iscsiroot outages 3 longest 75.2 down 20.0\nsession 1 waits 57.5\n")
	want := row{"waits", "for 47.5 s before the next login"}
	if rows := s.rows(1, 100*time.Second); !slices.Contains(rows, want) {
		t.Errorf("rows %q", rows)
	}
	if rows := s.rows(1, 200*time.Second); slices.ContainsFunc(rows, func(r row) bool { return r == want || len(rows) > 3 }) {
		t.Errorf("after its end: %q", rows)
	}
}

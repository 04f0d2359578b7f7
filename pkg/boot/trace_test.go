package boot

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// trace notes when steps begin and end.
type trace struct {
	mu     sync.Mutex
	began  time.Time
	events []string // "1s begin modules"
}

func newTrace() *trace { return &trace{began: time.Now()} }

func (tr *trace) note(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, time.Since(tr.began).String()+" "+what)
}

// sorted returns the events; those of one moment have no order.
func (tr *trace) sorted() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	slices.Sort(tr.events)
	return strings.Join(tr.events, "\n")
}

func checkTrace(t *testing.T, tr *trace, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimSpace(want), tr.sorted()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

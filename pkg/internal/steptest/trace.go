package steptest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Trace notes when something happens.
type Trace struct {
	Began time.Time // set by NewTrace

	mu     sync.Mutex // guards events
	events []string   // "1s begin modules"
}

// NewTrace returns a Trace that begins now.
func NewTrace() *Trace { return &Trace{Began: time.Now()} }

// Note notes an event, and the time since the beginning.
func (tr *Trace) Note(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, time.Since(tr.Began).String()+" "+what)
}

// Check compares the events with lines, sorted: those of one moment have no order.
func (tr *Trace) Check(t *testing.T, want string) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	slices.Sort(tr.events)
	if diff := cmp.Diff(strings.TrimSpace(want), strings.Join(tr.events, "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

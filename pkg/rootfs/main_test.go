package rootfs

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/uevent"
)

// TestMain runs the tests away from the host.
func TestMain(m *testing.M) { nstest.Main(m) }

// state is the state of a login; the zero value is that of a session that is up.
type state int

const (
	up state = iota
	pending
	lost
)

// fakeSessions are sessions without a connection.
type fakeSessions struct {
	waiting []int
	list    []*session.Session
	states  []state // of the first of them; the others are up
	changed chan struct{}
	pathErr error // of UseAsPath
	asDisk  []int // those that got the timers of a disk
	asPath  []int // those that have the timers of a path
}

func (f *fakeSessions) state(i int) state {
	if i < len(f.states) {
		return f.states[i]
	}
	return up
}

func (f *fakeSessions) List() []*session.Session         { return f.list }
func (f *fakeSessions) Names() string                    { return "" }
func (f *fakeSessions) Up(i int) bool                    { return f.state(i) == up }
func (f *fakeSessions) Pending(i int) bool               { return f.state(i) == pending }
func (f *fakeSessions) Lost(i int) bool                  { return f.state(i) == lost }
func (f *fakeSessions) Waiting() []int                   { return slices.Clone(f.waiting) }
func (f *fakeSessions) Changed() <-chan struct{}         { return f.changed }
func (f *fakeSessions) Later(int, func(context.Context)) {}

func (f *fakeSessions) UseAsPath(i int) error {
	if f.pathErr == nil {
		f.asPath = append(f.asPath, i)
	}
	return f.pathErr
}

func (f *fakeSessions) IsPath(i int) bool { return slices.Contains(f.asPath, i) }

func (f *fakeSessions) UseAsDisk(i int) error                     { f.asDisk = append(f.asDisk, i); return nil }
func (f *fakeSessions) Down() string                              { return "" }
func (f *fakeSessions) WaitDown(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }

func (f *fakeSessions) RepeatIfLost(_ context.Context, _ *session.Session, work func(bool) error) error {
	return work(true)
}

// withSessions is a Storage with n sessions, and what it logs.
func withSessions(n int) (*Storage, *steptest.Recorder) {
	log := &steptest.Recorder{}
	return New(Config{
		Log: log, Sessions: &fakeSessions{list: someSessions(n)}, Started: time.Now(),
		Spec: &bootspec.Spec{Targets: make([]bootspec.Target, n)}, Plan: &bootspec.Plan{},
	}), log
}

// rootAt is a Storage that looks for this root.
func rootAt(root bootspec.Root, n int) *Storage {
	st, _ := withSessions(n)
	st.Spec.Root = root
	return st
}

// listen gives a Storage the kernel's events.
func listen(t *testing.T) func() Uevents {
	t.Helper()
	events, err := uevent.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() }) // when parallel rows have ended
	return func() Uevents { return events }
}

// everything lists where a search without a name looks for an init first.
func (st *Storage) everything(t *testing.T, sys string) ([]*blockdev.Device, error) {
	t.Helper()
	p := paths{sys, "/dev"}
	disks := st.counted(true)
	return st.stackOf(t.Context(), p, disks, wants{}, nil).Likely(disks, blockdev.OnDisk)
}

package shutdown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// fake is a System that records its calls.
type fake struct {
	mu       sync.Mutex
	did      []string
	log      []string
	began    time.Time
	left     int  // processes
	stubborn bool // they only end when killed
	many     bool // counting them takes 700 ms
	mounts   []string
	busy     int           // so many rounds
	slow     time.Duration // an unmount takes so long, while the disk works
	working  atomic.Bool
	dead     bool // the first session's target: unmounting hangs
	sessions []*fakeSession
	above    []string      // the top first; one that begins with "busy" is in use, with "md" an array
	spare    int           // so many of the sessions, the first ones, are down and can be spared
	hang     chan struct{} // until its session is ended
	noPath   []string      // multipath maps whose I/O waits: while there is one, unmounting hangs
	mapFails chan struct{} // closed when their I/O fails
}

// fakeSession is a session of fake's.
type fakeSession struct {
	*fake
	name  string
	dead  bool // flushing hangs
	mute  bool // the target does not answer a logout
	ended bool
}

func (f *fake) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, s)
}

func (f *fake) Terminate() {
	f.note("ask")
	if !f.stubborn {
		f.left = 0
	}
}
func (f *fake) Kill()                     { f.note("kill"); f.left = 0 }
func (f *fake) Mounts() ([]string, error) { return slices.Clone(f.mounts), nil }

func (f *fake) Remaining() int {
	if f.many {
		time.Sleep(700 * time.Millisecond)
	}
	return f.left
}

func (f *fake) Unmount(dir string) error {
	switch {
	case f.mapFails != nil:
		<-f.mapFails
	case f.dead && strings.HasPrefix(dir, "/oldroot"):
		<-f.hang // in the kernel
		if f.spare == 0 {
			return errors.New("input/output error")
		}
	case f.busy > 0:
		f.busy--
		return errors.New("busy")
	case f.slow > 0:
		f.working.Store(true)
		time.Sleep(f.slow)
		f.working.Store(false)
	}
	f.note("unmount " + dir)
	f.mounts = slices.DeleteFunc(f.mounts, func(m string) bool { return m == dir })
	return nil
}

// Above lists the first one that is left, and those that are in use.
func (f *fake) Above() (out []Above, err error) {
	for _, name := range f.above {
		if out = append(out, Above{name, strings.HasPrefix(name, "md")}); !strings.HasPrefix(name, "busy") {
			break
		}
	}
	return out, nil
}

func (f *fake) Remove(d Above) error {
	switch {
	case strings.HasPrefix(d.Name, "busy"):
		return errors.New("remove map " + d.Name + ": device or resource busy")
	case strings.HasPrefix(d.Name, "dead"), d.Array && f.spare > 0:
		<-f.hang
		if !d.Array {
			return errors.New("input/output error")
		}
	}
	f.note("remove " + d.Name)
	f.above = slices.DeleteFunc(f.above, func(name string) bool { return name == d.Name })
	return nil
}

func (f *fake) Spare() (out []Session) {
	for _, s := range f.sessions[:f.spare] {
		out = append(out, s)
	}
	return out
}

func (f *fake) FailMaps(all bool) []string {
	out := f.noPath
	if f.noPath = nil; len(out) > 0 {
		f.note("fail maps")
		close(f.mapFails)
	}
	return out
}

func (f *fake) Detach(dir string) error { f.note("detach " + dir); return nil }
func (f *fake) Sync()                   { <-f.hang }
func (f *fake) EndAgent()               { f.note("agent") }

func (f *fake) Progress() uint64 {
	if f.working.Load() {
		return uint64(time.Since(f.began))
	}
	return 0
}

func (f *fake) Sessions() ([]Session, error) {
	var out []Session
	for _, s := range f.sessions {
		if !s.ended {
			out = append(out, s)
		}
	}
	return out, nil
}

func (s *fakeSession) String() string { return s.name }
func (s *fakeSession) Flush() error {
	if s.dead {
		<-s.hang
		return errors.New("input/output error")
	}
	s.note("flush " + s.name)
	return nil
}

func (s *fakeSession) Logout(ctx context.Context) error {
	if s.mute {
		<-ctx.Done()
		return ctx.Err()
	}
	s.note("logout " + s.name)
	return nil
}

func (s *fakeSession) Terminate(context.Context) error {
	s.note("terminate " + s.name)
	if s.ended = true; s.dead {
		close(s.hang)
	}
	return nil
}

func (f *fake) Power(a runstate.Action) error {
	f.note(fmt.Sprintf("%s after %d s", a, int(time.Since(f.began).Seconds())))
	return nil
}

func (f *fake) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}
func (f *fake) Warnf(format string, args ...any) { f.Errorf(format, args...) }
func (f *fake) Infof(format string, args ...any) { f.Errorf(format, args...) }

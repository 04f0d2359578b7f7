package shutdown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a system that writes down what is done to it.
type fake struct {
	did        []string
	began      time.Time
	left       int  // processes
	stubborn   bool // they only go when killed
	mounts     []string
	busy       int  // so many rounds
	dead       bool // the target: unmounting and flushing hang
	flushHangs bool
	mute       bool // the target does not answer a logout
	hang       chan struct{}
	log        []string
}

func (f *fake) note(s string) { f.did = append(f.did, s) }
func (f *fake) Ask() {
	f.note("ask")
	if !f.stubborn {
		f.left = 0
	}
}
func (f *fake) Kill()     { f.note("kill"); f.left = 0 }
func (f *fake) Left() int { return f.left }
func (f *fake) Mounts() ([]string, error) {
	return slices.Clone(f.mounts), nil
}

func (f *fake) Unmount(dir string) error {
	if f.dead {
		<-f.hang // in the kernel
		return nil
	}
	if f.busy > 0 {
		f.busy--
		return errors.New("busy")
	}
	f.note("unmount " + dir)
	f.mounts = slices.DeleteFunc(f.mounts, func(m string) bool { return m == dir })
	return nil
}

func (f *fake) Detach(dir string) error { f.note("detach " + dir); return nil }
func (f *fake) EndAgent()               { f.note("agent") }
func (f *fake) Flush() error {
	if f.flushHangs {
		<-f.hang
		return nil
	}
	f.note("flush")
	return nil
}

func (f *fake) Logout(ctx context.Context) error {
	if f.mute {
		<-ctx.Done()
		return ctx.Err()
	}
	f.note("logout")
	return nil
}
func (f *fake) Terminate(context.Context) error { f.note("terminate"); return nil }
func (f *fake) Power(a Action) error {
	f.note(fmt.Sprintf("%s after %d s", a, int(time.Since(f.began).Seconds())))
	return nil
}

func (f *fake) Errorf(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}
func (f *fake) Warnf(format string, args ...any) { f.Errorf(format, args...) }
func (f *fake) Infof(format string, args ...any) { f.Errorf(format, args...) }

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		system fake
		did    string
		log    string
	}{
		{
			"all is well",
			fake{mounts: []string{"/oldroot/usr", "/oldroot"}, left: 2},
			"ask, unmount /oldroot/usr, unmount /oldroot, agent, flush, logout, poweroff after 0 s", "shutdown: logged out",
		},
		{
			"stubborn processes",
			fake{left: 3, stubborn: true},
			"ask, kill, agent, flush, logout, poweroff after 5 s", "shutdown: 3 processes do not end: killing them",
		},
		{
			"busy at first",
			fake{mounts: []string{"/oldroot"}, busy: 3},
			"ask, unmount /oldroot, agent, flush, logout, poweroff after 0 s", "shutdown: logged out",
		},
		{
			"busy for ever",
			fake{mounts: []string{"/oldroot"}, busy: 99},
			"ask, detach /oldroot, agent, flush, logout, poweroff after 2 s", "shutdown: busy",
		},
		{
			"a dead target",
			fake{mounts: []string{"/oldroot"}, dead: true},
			"ask, agent, terminate, detach /oldroot, poweroff after 30 s", "the root disk does not answer",
		},
		{
			"a target that dies at the flush",
			fake{flushHangs: true},
			"ask, agent, terminate, poweroff after 10 s", "write back: no end after 10 s",
		},
		{
			"a mute target",
			fake{mute: true},
			"ask, agent, flush, poweroff after 5 s", "logout: no end after 5 s",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.system
			run(t, &f)
			if got := strings.Join(f.did, ", "); got != tt.did {
				t.Errorf("did  %s\nwant %s", got, tt.did)
			}
			if !strings.Contains(strings.Join(f.log, "\n"), tt.log) {
				t.Errorf("log %q", f.log)
			}
		})
	}
}

// run is Run in time of its own.
func run(t *testing.T, f *fake) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.began, f.hang = time.Now(), make(chan struct{})
		defer close(f.hang)
		if err := Run(f, PowerOff, f); err != nil {
			t.Error(err)
		}
	})
}

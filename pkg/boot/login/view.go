package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// The methods below implement rootfs.Sessions.

// List returns the sessions in the order of Spec.Targets.
func (ss *Sessions) List() []*session.Session { return ss.list }

// Up reports whether a session is logged in and was scanned to the end.
func (ss *Sessions) Up(i int) bool { return ss.logins.up(i) }

// Pending reports whether the login of a session is still tried.
func (ss *Sessions) Pending(i int) bool { return ss.logins.state(i) == loginPending }

// Lost reports whether the login of a session was given up.
func (ss *Sessions) Lost(i int) bool { return ss.logins.state(i) == loginLost }

// Waiting lists the sessions whose login is still tried and may succeed.
func (ss *Sessions) Waiting() []int { return ss.logins.waiting() }

// Changed is closed at the next change of the state of any login.
func (ss *Sessions) Changed() <-chan struct{} { return ss.logins.change() }

// Later makes a session pending until work has ended, which goes on during the next steps.
func (ss *Sessions) Later(i int, work func(context.Context)) { ss.logins.later(i, work) }

// UseAsPath gives a session the timers of a path of a multipath map, unless it has them.
func (ss *Sessions) UseAsPath(i int) error { return useAsPath(ss.list[i]) }

// pathSession is a session whose disks are paths.
type pathSession interface {
	UseAsPath() error
	Recovery() (seconds uint32, due bool)
}

// errTimersLater: the kernel takes no recovery time-out while a session is down.
var errTimersLater = errors.New("its session is down, and has the time-out of a path from the next login on")

func useAsPath(s pathSession) error {
	if err := s.UseAsPath(); err != nil {
		return err
	}
	if _, due := s.Recovery(); due {
		return errTimersLater
	}
	return nil
}

// IsPath reports whether a session has the timers of a path.
func (ss *Sessions) IsPath(i int) bool { return ss.list[i].IsPath() }

// UseAsDisk gives a session that was to have paths the timers of a single disk.
func (ss *Sessions) UseAsDisk(i int) error { return ss.list[i].UseAsDisk() }

// Names describes all sessions, for messages.
func (ss *Sessions) Names() string {
	out := ""
	for i, s := range ss.list {
		if i > 0 {
			out += ", "
		}
		if ss.logins.up(i) {
			out += fmt.Sprintf("%s at %s", s.Target, s.At())
		} else {
			out += s.Target + " (not logged in)"
		}
	}
	return out
}

// Down names the sessions that have lost their connection; "": none has.
func (ss *Sessions) Down() string {
	if guard := ss.guard.Load(); guard != nil {
		return guard.Down()
	}
	return ""
}

// errNoGuard is for a wait for an outage after the hand-over.
var errNoGuard = errors.New("the agent has the sessions")

// WaitDown returns when a session has been down for a while.
func (ss *Sessions) WaitDown(ctx context.Context, i int) error {
	if guard := ss.guard.Load(); guard != nil {
		return guard.WaitDown(ctx, ss.list[i], stragglerGrace)
	}
	return errNoGuard
}

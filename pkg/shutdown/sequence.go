package shutdown

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Leave is the action that does all but end the machine, which another program does.
const Leave runstate.Action = "leave"

// Deadlines. Together they are the half minute by which an unreachable target delays a shutdown. As
// long as the disks work there is none: a write-back may be large and slow.
const (
	killGrace      = 5 * time.Second        // from SIGTERM to SIGKILL
	unmountStall   = 12 * time.Second       // nothing done by a disk, while unmounting
	unmountAgain   = time.Second            // the same, once one file system hangs
	flushStall     = 5 * time.Second        // the same, while a disk's cache is written back
	logoutTime     = 5 * time.Second        // for one Logout and its response
	terminateTime  = 5 * time.Second        // for the kernel to end a session without the target
	detachTime     = 2 * time.Second        // for the kernel to remove one disk, which needs no I/O
	killInterval   = 100 * time.Millisecond // between counts of the remaining processes
	unmountBetween = 200 * time.Millisecond // between tries of what is still in use
)

// System is the system that the sequence brings down.
type System interface {
	// Terminate and Kill end all processes but this one and the agent's, by SIGTERM and
	// SIGKILL. Remaining counts them.
	Terminate()
	Kill()
	Remaining() int
	// Mounts lists the mounts of the real system, in the order in which they are unmounted.
	Mounts() ([]string, error)
	Unmount(dir string) error
	Detach(dir string) error // lazily
	Sync()                   // writes back all that can be
	// Above lists the devices of device-mapper and the arrays on the sessions' disks on which
	// no other device stands. Remove removes one.
	Above() ([]Above, error)
	Remove(d Above) error
	// Spare lists the sessions that are down and without whose disks all that is in use works,
	// because mirrors have other members.
	Spare() []Session
	// FailMaps has the I/O of the multipath maps on the sessions' disks fail that have no path
	// which works; with all, also that of the others as soon as they have none. It returns the
	// names of those whose I/O waited.
	FailMaps(all bool) []string
	// Progress is a number that changes as long as the sessions' disks work.
	Progress() uint64
	// EndAgent ends the agent, which recovers the sessions until then.
	EndAgent()
	// Sessions lists those of the boot that still exist.
	Sessions() ([]Session, error)
	// Power ends the machine. It returns only if it cannot, or for Leave.
	Power(a runstate.Action) error
}

// Session is a session to be logged out.
type Session interface {
	// String names it in messages.
	String() string
	// Flush deletes its disks, which writes their caches back.
	Flush() error
	// Logout ends it by a logout request, Terminate without the target, which fails the I/O
	// that waits for it.
	Logout(ctx context.Context) error
	Terminate(ctx context.Context) error
}

// Logger is the log.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Run brings the system down. It returns only if the machine did not end.
func Run(s System, a runstate.Action, log Logger) error {
	endProcesses(s, log)
	unmountAll(s, log)
	removeAbove(s, log)
	s.EndAgent()
	failMaps(s, true, log) // the sessions end
	leaveAll(s, log)
	detachAll(s, log)
	return s.Power(a)
}

// endProcesses ends the processes, by SIGTERM first.
func endProcesses(s System, log Logger) {
	s.Terminate()
	for since := time.Now(); s.Remaining() > 0 && time.Since(since) < killGrace; { // Remaining takes time too
		time.Sleep(killInterval)
	}
	if n := s.Remaining(); n > 0 {
		log.Warnf("shutdown: %d processes do not end: killing them", n)
		s.Kill()
		time.Sleep(killInterval)
	}
}

// maxRounds is how often unmounting is tried where something is busy.
const maxRounds = 10

// unmountAll unmounts all but the file systems that hang. A file system can be busy because of one
// above it.
func unmountAll(s System, log Logger) {
	var hang []string
	var busy error
	stall := unmountStall
	for range maxRounds {
		dirs, err := s.Mounts()
		if err != nil {
			log.Errorf("shutdown: %v", err)
			return
		}
		busy = nil
		for _, dir := range dirs {
			if slices.Contains(hang, dir) {
				continue
			}
			err := patiently(s, stall, log, func() error { return s.Unmount(dir) })
			var late *LateError
			switch {
			case errors.As(err, &late):
				log.Errorf("shutdown: %s: its disk does not answer: what was not written yet is lost", dir)
				hang, stall = append(hang, dir), unmountAgain
			case err != nil && busy == nil:
				busy = err
			}
		}
		if busy == nil {
			return
		}
		time.Sleep(unmountBetween)
	}
	log.Errorf("shutdown: %v", busy)
}

// leaveAll writes the disks' caches back and logs out, of all sessions concurrently: an unreachable
// target does not delay the others.
func leaveAll(s System, log Logger) {
	sessions, err := s.Sessions()
	if err != nil {
		log.Errorf("shutdown: %v", err)
	}
	var all sync.WaitGroup
	for _, one := range sessions {
		all.Go(contain.Func("", func() { leave(s, one, log) }, func(err error) { log.Errorf("shutdown: %s: %v", one, err) }))
	}
	all.Wait()
}

func leave(s System, one Session, log Logger) {
	err := working(s, flushStall, one.Flush)
	if err == nil {
		if err = Within(logoutTime, one.Logout); err == nil {
			log.Infof("shutdown: %s: logged out", one)
			return
		}
	}
	if !errors.Is(err, errNoLogin) {
		log.Errorf("shutdown: %s: %v: dropping the session", one, err)
	}
	if err := Within(terminateTime, one.Terminate); err != nil {
		log.Warnf("shutdown: %s: %v", one, err)
	}
}

// detachAll lazily unmounts what could not be unmounted.
func detachAll(s System, log Logger) {
	dirs, err := s.Mounts()
	if err != nil {
		log.Warnf("shutdown: %v", err)
	}
	for _, dir := range dirs {
		if err := Within(detachTime, func(context.Context) error { return s.Detach(dir) }); err != nil {
			log.Warnf("shutdown: %v", err)
		}
	}
}

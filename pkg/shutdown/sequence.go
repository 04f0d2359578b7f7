package shutdown

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Action is how the machine ends, in systemd's word.
type Action string

// The actions (systemd-shutdown's verbs).
const (
	PowerOff Action = "poweroff"
	Reboot   Action = "reboot"
	Halt     Action = "halt"
	Kexec    Action = "kexec"
)

// Deadlines.
const (
	killGrace      = 5 * time.Second  // from the request to end to the order
	unmountTime    = 30 * time.Second // all file systems, with the target away for that long
	flushTime      = 10 * time.Second // the disks' caches
	logoutTime     = 5 * time.Second  // all sessions
	terminateTime  = 5 * time.Second
	killInterval   = 100 * time.Millisecond
	unmountBetween = 200 * time.Millisecond
)

// System is what the sequence works on.
type System interface {
	// Ask and Kill end the processes that are neither ours nor the agent's,
	// by SIGTERM and SIGKILL. Left counts them.
	Ask()
	Kill()
	Left() int
	// Mounts lists what is mounted of the real system, in the order in which
	// it must go.
	Mounts() ([]string, error)
	Unmount(dir string) error
	Detach(dir string) error // lazily
	// EndAgent ends the agent, which mends the sessions until then.
	EndAgent()
	// Flush takes the sessions' disks away, which writes their caches back.
	Flush() error
	// Logout ends the sessions as the protocol says, Terminate without asking
	// the targets.
	Logout(ctx context.Context) error
	Terminate(ctx context.Context) error
	// Power ends the machine. It returns only if it cannot.
	Power(a Action) error
}

// Logger is where it is said.
type Logger interface {
	Errorf(format string, args ...any)
	Warnf(format string, args ...any)
	Infof(format string, args ...any)
}

// Run brings the system down. It returns only if the machine did not end.
func Run(s System, a Action, log Logger) error {
	endProcesses(s, log)
	err := within(unmountTime, func(ctx context.Context) error { return unmountAll(ctx, s) })
	var late *LateError
	switch {
	case errors.As(err, &late):
		log.Errorf("shutdown: the root disk does not answer: giving its target up: what was not written yet is lost")
		s.EndAgent()
		report(log, "end sessions", within(terminateTime, s.Terminate))
		detachAll(s, log)
		return s.Power(a)
	case err != nil:
		log.Errorf("shutdown: %v", err)
		detachAll(s, log)
	}
	s.EndAgent()
	if err := within(flushTime, func(context.Context) error { return s.Flush() }); err != nil {
		log.Errorf("shutdown: write back: %v", err)
		report(log, "end sessions", within(terminateTime, s.Terminate))
		return s.Power(a)
	}
	if err := within(logoutTime, s.Logout); err != nil {
		log.Warnf("shutdown: logout: %v", err)
	} else {
		log.Infof("shutdown: logged out")
	}
	return s.Power(a)
}

func report(log Logger, what string, err error) {
	if err != nil {
		log.Warnf("shutdown: %s: %v", what, err)
	}
}

// endProcesses asks them first.
func endProcesses(s System, log Logger) {
	s.Ask()
	for waited := time.Duration(0); s.Left() > 0 && waited < killGrace; waited += killInterval {
		time.Sleep(killInterval)
	}
	if n := s.Left(); n > 0 {
		log.Warnf("shutdown: %d processes do not end: killing them", n)
		s.Kill()
		time.Sleep(killInterval)
	}
}

// LateError says that something took longer than it may.
type LateError struct{ After time.Duration }

// Error implements error.
func (e *LateError) Error() string { return fmt.Sprintf("no end after %d s", int(e.After.Seconds())) }

// within runs f for so long at the most. What is still at it then hangs in the
// kernel and is left there: ctx is for what can be told to stop.
func within(limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			return &LateError{limit}
		}
		return err
	case <-ctx.Done():
		return &LateError{limit}
	}
}

// maxRounds is how often unmounting is tried where something is busy.
const maxRounds = 10

// unmountAll unmounts until nothing is left. A file system can be busy because
// of one above it.
func unmountAll(ctx context.Context, s System) error {
	var err error
	for range maxRounds {
		var dirs []string
		if dirs, err = s.Mounts(); err != nil || len(dirs) == 0 {
			return err
		}
		err = nil
		for _, dir := range dirs {
			if uerr := s.Unmount(dir); uerr != nil && err == nil {
				err = uerr
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if err != nil {
			time.Sleep(unmountBetween)
		}
	}
	return err
}

// detachAll takes out of the way what could not be unmounted.
func detachAll(s System, log Logger) {
	dirs, err := s.Mounts()
	if err != nil {
		log.Warnf("shutdown: %v", err)
	}
	for _, dir := range dirs {
		if err := s.Detach(dir); err != nil {
			log.Warnf("shutdown: %v", err)
		}
	}
}

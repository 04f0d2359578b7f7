package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/kmsg"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Work is the worker's life: it takes the state from PID 1, or from where an
// earlier worker left it, and looks after the sessions. It returns only if it
// cannot.
func Work() error {
	unix.CloseOnExec(sockFile)
	unix.CloseOnExec(stateFile)
	// The supervisor is the one to end it, by SIGKILL.
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE)
	lockMemory()
	log := kmsg.Open(kmsg.SystemPaths())
	memory := stateMemory{os.NewFile(stateFile, "state")}
	state, fresh, err := memory.first(sockFile)
	if err != nil {
		return err
	}
	states, err := session.ParseStates(state)
	if err != nil {
		return err
	}
	transport, err := kernel.Open()
	if err != nil {
		return err
	}
	network, err := watchNetwork()
	if err != nil {
		log.Warnf("agent: %v: reconnects wait for their turn", err)
	}
	w := &worker{log: log, memory: memory}
	cfg := Config{
		Events: transport.Watch(), Network: network, Log: log, Changed: w.changed, Slow: needsPerson,
		Listeners: func() []uint32 { return otherListeners(transport) },
	}
	for _, st := range states {
		s := &live{session.Reopen(transport, st)}
		w.sessions = append(w.sessions, s)
		cfg.Sessions = append(cfg.Sessions, s)
	}
	agent := New(cfg)
	if fresh {
		if _, err := unix.Write(sockFile, []byte(ready)); err != nil {
			log.Warnf("agent: %v", os.NewSyscallError("write", err))
		}
	} else {
		log.Warnf("agent: started again")
	}
	_ = unix.Close(sockFile)
	agent.Run(context.Background())
	return nil
}

// otherListeners reads who else listens for the kernel's iSCSI events.
func otherListeners(t *kernel.Transport) []uint32 {
	b, err := os.ReadFile("/proc/net/netlink")
	if err != nil {
		return nil
	}
	return listeners(string(b), t.PortID())
}

// needsPerson tells of a refusal that only the target's administrator mends.
func needsPerson(err error) bool {
	var status *iscsi.StatusError
	var auth *iscsi.AuthError
	return errors.As(err, &auth) ||
		errors.As(err, &status) && (status.Code() == 0x0201 || status.Code() == 0x0202)
}

// live is a session as the agent wants it.
type live struct{ *session.Session }

func (l *live) ID() uint32     { return l.SID }
func (l *live) String() string { return l.Target }

func (l *live) Dial(ctx context.Context) (io.Closer, error) {
	c, err := l.Connect(ctx)
	if err != nil {
		return nil, err // not a typed nil
	}
	return c, nil
}

func (l *live) Login(ctx context.Context, conn io.Closer) error {
	return l.Relogin(ctx, conn.(*session.Connection))
}

// worker is what is done besides the agent's own work.
type worker struct {
	log      *kmsg.Logger
	memory   stateMemory
	sessions []*live
}

// StatusFile is where the agent writes how the sessions are, for people and for
// iscsiroot status.
const StatusFile = "/run/iscsiroot/status"

// changed keeps what the next worker and people need to know.
func (w *worker) changed(all []Status) {
	var state []byte
	busy := false
	for _, s := range all {
		busy = busy || !s.Up && !s.Ended
	}
	if !busy { // what a login has changed is whole again
		for _, s := range w.sessions {
			state = session.AppendState(state, s.State())
		}
		if err := w.memory.keep(state); err != nil {
			w.log.Warnf("agent: %v", err)
		}
	}
	if err := writeStatus(StatusFile, all, time.Now()); err != nil {
		w.log.Warnf("agent: %v", err)
	}
}

// writeStatus replaces the file as a whole.
func writeStatus(path string, all []Status, now time.Time) error {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "time %s\n", now.UTC().Format(time.RFC3339))
	for _, s := range all {
		state := "up"
		switch {
		case s.Ended:
			state = "ended"
		case !s.Up:
			state = "down"
		}
		owner := "iscsiroot"
		if s.Passive {
			owner = "iscsid"
		}
		_, _ = fmt.Fprintf(&b, "session %d %s state %s owner %s down %.1f outages %d longest %.1f\n",
			s.SID, s.Name, state, owner, s.Down.Seconds(), s.Outages, s.Longest.Seconds())
		for _, cause := range []string{s.Cause, s.LastErr} {
			if cause != "" {
				_, _ = fmt.Fprintf(&b, "session %d cause %q\n", s.SID, cause)
			}
		}
	}
	if err := os.WriteFile(path+".new", []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

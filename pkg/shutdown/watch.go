package shutdown

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Watch is for the agent: it waits until the real system has begun to shut down. The disk that it
// needs for that may be dead by then: that is said, and if it lasts for longer than it may, the
// sessions are given up and the machine ended without the real system. letGo must end the agent's
// recovery of them before. t is the agent's: another socket of this process would be another
// program's for it. It returns only with an error.
func Watch(t *kernel.Transport, letGo func(context.Context) error, log Logger) error {
	m, err := waitForMark(runstate.Path(runstate.MarkName))
	if err != nil {
		return err
	}
	l := newLinux()
	l.transport = t
	return vigil(&leaving{l, letGo}, m, l.down, log)
}

// leaving is a system whose agent, in this process, lets go of the sessions instead of being
// killed.
type leaving struct {
	System
	letGo func(context.Context) error
}

// letGoTime is for how long the end of a login that is under way is waited for.
const letGoTime = 2 * time.Second

// EndAgent implements System.
func (l *leaving) EndAgent() { _ = Within(letGoTime, l.letGo) }

// watchEvery is how often it is looked whether sessions are down.
const watchEvery = time.Second

// vigil watches over a shutdown that has begun.
func vigil(s System, m runstate.Mark, down func() []string, log Logger) error {
	var since time.Time // when a session was first seen down
	for {
		names := down()
		switch {
		case len(names) == 0:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
			log.Errorf("%s: the real system waits for its root disk: %s down: %s", m.Action, strings.Join(names, ", "), limit(m))
		case m.Limit > 0 && time.Since(since) >= m.Limit:
			log.Errorf("%s: no root disk for %d s: giving up: what was not written yet is lost", m.Action, int(m.Limit.Seconds()))
			return abandon(s, m.Action, log)
		}
		time.Sleep(watchEvery)
	}
}

// limit tells for how long that may last.
func limit(m runstate.Mark) string {
	if m.Limit == 0 {
		return "bring its target back or switch the machine off by hand; iscsi_shutdown_timeout= would limit the wait"
	}
	return fmt.Sprintf("bring its target back within %d s", int(m.Limit.Seconds()))
}

// abandon ends the machine under the real system's feet.
func abandon(s System, a runstate.Action, log Logger) error {
	_ = working(s, flushStall, func() error { s.Sync(); return nil }) // for other disks
	s.EndAgent()
	leaveAll(s, log)
	return s.Power(a)
}

// down names the sessions through which nothing flows.
func (l *linux) down() []string {
	var out []string
	sys := kernel.Sysfs(l.sys)
	for _, f := range l.find() {
		session, _ := sys.Session(f.sid, "state")
		conn, _ := sys.Connection(f.sid, 0, "state")
		if session != "LOGGED_IN" || conn != "up" {
			out = append(out, fmt.Sprintf("session %d", f.sid))
		}
	}
	return out
}

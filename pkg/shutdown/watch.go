package shutdown

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// Watch is for the agent: it waits until the real system has begun to shut down. If a disk that the
// shutdown needs does not respond, that is logged, and if it lasts longer than limit, the sessions
// are terminated and the machine is ended without the real system. stopRecovery must end the
// agent's recovery of them before. t is the agent's transport: the agent would take another socket
// for that of another program. Watch returns only with an error.
func Watch(t *kernel.Transport, stopRecovery func(context.Context) error, log Logger) error {
	m, err := waitForMark(runstate.Path(runstate.MarkName))
	if err != nil {
		return err
	}
	l := newLinux()
	l.transport = t
	return monitor(&inAgent{l, stopRecovery}, m, l.down, log)
}

// inAgent is a System whose agent is this process: it stops its recovery of the sessions instead of
// being killed.
type inAgent struct {
	System
	stopRecovery func(context.Context) error
}

// stopTime is for how long the end of a login that is under way is waited for.
const stopTime = 2 * time.Second

// EndAgent implements System.
func (l *inAgent) EndAgent() { _ = Within(stopTime, l.stopRecovery) }

// watchEvery is the interval at which the state of the sessions is read.
const watchEvery = time.Second

// monitor watches a shutdown that has begun.
func monitor(s System, m runstate.Mark, down func() []string, log Logger) error {
	var since time.Time // when a session was first found down
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
			return forceEnd(s, m.Action, log)
		}
		time.Sleep(watchEvery)
	}
}

// limit describes how long that may last.
func limit(m runstate.Mark) string {
	if m.Limit == 0 {
		return "bring its target back or switch the machine off by hand; iscsi_shutdown_timeout= would limit the wait"
	}
	return fmt.Sprintf("bring its target back within %d s", int(m.Limit.Seconds()))
}

// forceEnd ends the machine without the real system.
func forceEnd(s System, a runstate.Action, log Logger) error {
	_ = working(s, flushStall, func() error { s.Sync(); return nil }) // for other disks
	s.EndAgent()
	failMaps(s, true, log)
	leaveAll(s, log)
	return s.Power(a)
}

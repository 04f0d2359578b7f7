package shutdown

import (
	"context"
	"fmt"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel"
	"github.com/iscsiroot/iscsiroot/pkg/redundancy"
)

// lost returns the sessions that are not logged in or have no connection.
func (l *linux) lost() (out []sessionHost) {
	sys := kernel.Sysfs(l.sys)
	for _, f := range l.find() {
		session, _ := sys.Session(f.sid, "state")
		conn, _ := sys.Connection(f.sid, 0, "state")
		if session != "LOGGED_IN" || conn != "up" {
			out = append(out, f)
		}
	}
	return out
}

// uses returns what stands on the disks of each of some sessions, if all of these are lost.
func (l *linux) uses(lost []sessionHost) (out []redundancy.Use) {
	rule := redundancy.Rule{Sys: l.sys, Proc: l.proc, Maps: l.maps}
	var ids []uint32
	for _, f := range lost {
		ids = append(ids, f.sid)
	}
	for _, sid := range ids {
		out = append(out, rule.Use(sid, ids))
	}
	return out
}

// neededTime is for how long it is waited for what stands on the disks of lost sessions. It is read
// from memory.
const neededTime = 2 * time.Second

// needed returns those of lost sessions that something in use needs: a mirror can do without a
// member. As long as that is not known, because the kernel does not answer, it is all of them. What
// hangs is not asked a second time: each would leave a thread in the kernel.
func (l *linux) needed(lost []sessionHost) []sessionHost {
	if !l.evaluates.CompareAndSwap(false, true) {
		return lost
	}
	out := make(chan []sessionHost, 1) // the result may not be read
	err := Within(neededTime, func(context.Context) error {
		defer l.evaluates.Store(false)
		var needed []sessionHost
		for i, use := range l.uses(lost) {
			if len(use.Fails) > 0 {
				needed = append(needed, lost[i])
			}
		}
		out <- needed
		return nil
	})
	if err != nil {
		return lost
	}
	return <-out
}

// down names the sessions that are down and needed.
func (l *linux) down() (out []string) {
	lost := l.lost()
	if len(lost) == 0 {
		return nil
	}
	for _, f := range l.needed(lost) {
		out = append(out, fmt.Sprintf("session %d", f.sid))
	}
	return out
}

// Spare implements System.
func (l *linux) Spare() []Session {
	lost := l.lost()
	if len(lost) == 0 {
		return nil
	}
	var spare []sessionHost
	for i, use := range l.uses(lost) {
		if use.Covered() {
			spare = append(spare, lost[i])
		}
	}
	out, _ := l.adopt(spare) // without netlink none can be ended
	return out
}

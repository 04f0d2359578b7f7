package shutdown

import (
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/dm"
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
	rule := redundancy.Rule{Sys: l.sys, Proc: l.proc}
	if c, err := dm.Open(nil); err == nil {
		defer func() { _ = c.Close() }()
		rule.Maps = c
	}
	var ids []uint32
	for _, f := range lost {
		ids = append(ids, f.sid)
	}
	for _, sid := range ids {
		out = append(out, rule.Use(sid, ids))
	}
	return out
}

// down names the sessions that are down and that something in use needs: a mirror can do without a
// member.
func (l *linux) down() (out []string) {
	lost := l.lost()
	if len(lost) == 0 {
		return nil
	}
	for i, use := range l.uses(lost) {
		if len(use.Fails) > 0 {
			out = append(out, fmt.Sprintf("session %d", lost[i].sid))
		}
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

package agent

import (
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
)

// The agent's files, for iscsiroot status. No secret is in them.
const (
	runDir     = runstate.Dir
	statusName = runstate.StatusName
)

// reportSessions writes a line for each session, and one for each error.
func reportSessions(all []recovery.Status) string {
	var out runstate.Status
	for _, s := range all {
		v := runstate.SessionStatus{
			SID: s.SID, Target: s.Name, State: runstate.Up, Owner: runstate.OwnerAgent, Outages: s.Outages, Longest: s.Longest, Down: s.Down,
			Waits: s.NotBefore, Portals: s.Portals, Causes: []string{s.Cause, s.LastErr},
		}
		switch {
		case s.Ended:
			v.State = runstate.Ended
		case !s.Up:
			v.State = runstate.Down
		}
		if s.Passive {
			v.Owner = runstate.OwnerISCSID
		}
		out.Sessions = append(out.Sessions, v)
	}
	return out.Lines()
}

// reportLegs writes a line for each array that lost a member with a session.
func reportLegs(all []Leg) string {
	var out runstate.Status
	for _, l := range all {
		for _, name := range l.Arrays {
			out.Legs = append(out.Legs, runstate.LegStatus{SID: l.SID, Array: name})
		}
	}
	return out.Lines()
}

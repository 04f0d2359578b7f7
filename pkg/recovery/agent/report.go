package agent

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
)

// StatusFile is where the agent writes how the sessions and the network are, for
// iscsiroot status. No secret is in it.
const StatusFile = runDir + "/" + statusName

// The agent's files. leasePrefix begins the names of package handover's files of
// leases; the interface's name follows.
const (
	runDir      = "/run/iscsiroot"
	statusName  = "status"
	leasePrefix = "lease-"
)

// reportSessions writes a line for each session, and one for what is wrong.
func reportSessions(all []recovery.Status) string {
	var b strings.Builder
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
		_, _ = fmt.Fprintf(&b, "session %d target %s state %s owner %s outages %d longest %.1f down %.1f\n",
			s.SID, s.Name, state, owner, s.Outages, s.Longest.Seconds(), s.Down.Seconds())
		if s.NotBefore > 0 {
			_, _ = fmt.Fprintf(&b, "session %d waits %.1f\n", s.SID, s.NotBefore.Seconds())
		}
		for _, p := range s.Portals {
			_, _ = fmt.Fprintf(&b, "session %d portal %s\n", s.SID, p)
		}
		for _, cause := range []string{s.Cause, s.LastErr} {
			if cause != "" {
				_, _ = fmt.Fprintf(&b, "session %d cause %q\n", s.SID, cause)
			}
		}
	}
	return b.String()
}

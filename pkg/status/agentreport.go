package status

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// agentReport is the agent's report, and whether the agent runs.
type agentReport struct {
	runstate.Status
	stale bool // the agent could not write a newer one
	agent agent
}

// readReport reads the agent's report, or the newest that it could write.
func readReport(path string) agentReport {
	if _, err := os.Stat(path); err == nil {
		s, _ := readReportFile(path)
		return s
	}
	s, ok := readReportFile(path + runstate.StaleSuffix)
	s.stale = ok
	return s
}

// readReportFile reads a report; not ok: it is empty.
func readReportFile(path string) (s agentReport, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return agentReport{}, false
	}
	if s.Status, err = runstate.ParseStatus(string(b)); err != nil {
		return agentReport{}, false
	}
	return s, s.Lines() != ""
}

// has reports whether the agent keeps a session.
func (s *agentReport) has(sid uint32) bool {
	v, _, _ := s.Of(sid)
	return v.State != ""
}

// fields returns the fields of the agent's report about a session.
func (s *agentReport) fields(sid uint32, now time.Duration) []field {
	var fields []field
	v, timers, disks := s.Of(sid)
	if v.State != "" {
		if s.stale {
			fields = append(fields, field{"old", "what follows is as it was " + seconds(s.Age(now)) + " ago"})
		}
		fields = append(fields, field{"kept by", s.keptBy(v.Owner)}, field{"outages", outages(&v)})
		if v.State == runstate.Down {
			fields = append(fields, field{"down", "for " + seconds(v.Down+s.Age(now))})
		}
	}
	if left := v.Waits - s.Age(now); left > 0 {
		fields = append(fields, field{"waits", "for " + seconds(left) + " before the next login"})
	}
	for _, t := range timers {
		fields = append(fields, field{"timer", fmt.Sprintf("recovery_tmo put back to %d s %s after %s: blacklist the disk in multipath.conf", t.Seconds, times(t.PutBack), t.By)})
	}
	for _, l := range s.Legs {
		if l.SID == sid {
			fields = append(fields, field{"array", legText(l.Array, v.State)})
		}
	}
	for _, d := range disks {
		fields = append(fields, field{"disk", fmt.Sprintf("%s answers every command with an error for %s: see the target's log", d.Name, seconds(d.ErrorsFor+s.Age(now)))})
	}
	if len(v.Portals) > 0 {
		fields = append(fields, field{"tried at", strings.Join(v.Portals, ", ")})
	}
	for _, c := range v.Causes {
		fields = append(fields, field{"because", words.Mask(c)})
	}
	return fields
}

// legText describes an array that has lost a member with a session.
func legText(array, state string) string {
	if state == runstate.Up {
		return "leg of " + array + " is here, and is taken back: " + array + " works without it until then"
	}
	return "leg of " + array + " is down: " + array + " works without it"
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func outages(v *runstate.SessionStatus) string {
	if v.Outages == 0 {
		return "none so far"
	}
	return fmt.Sprintf("%d, the longest %s", v.Outages, seconds(v.Longest))
}

// replaced are the lines about processes of the agent's that were replaced.
func (s *agentReport) replaced(now time.Duration) []string {
	var out []string
	for _, r := range s.Replaced {
		why := "it had stopped responding" // stuck
		switch r.Reason {
		case "ended":
			why = "it had ended"
		case "stopped":
			why = "it was stopped"
		}
		often := times(r.Times)
		if r.Times != 1 {
			often += ", the last time"
		}
		out = append(out, "its "+r.Half+" was replaced "+often+" "+seconds(max(0, now-r.At))+" ago: "+why)
	}
	return out
}

// network are the lines about links and leases.
func (s *agentReport) network(now time.Duration) []string {
	var out []string
	for i := range s.Links {
		l := &s.Links[i]
		out = append(out, linkText(l))
		if e := l.Lease; e != nil {
			text := fmt.Sprintf("lease of %s: from %s, ends in %s", l.Name, e.Server, seconds(e.Ends-now))
			if renew := e.Renew - now; renew > 0 {
				text += ", is renewed in " + seconds(renew)
			}
			out = append(out, text)
		}
	}
	return out
}

// linkText describes a link: its present addresses, and those of the boot if they differ.
func linkText(l *runstate.LinkStatus) string {
	text := fmt.Sprintf("network %s (%s)", l.Name, l.MAC)
	if l.Place != "" {
		text += ", port of " + l.Place
	}
	gave := l.Address.String() + ", " + string(l.Method)
	switch {
	case l.Now == nil, slices.Equal(l.Now, []netip.Prefix{l.Address}):
		text += ": " + gave
	case len(l.Now) == 0:
		text += ": no address; from the boot: " + gave
	default:
		var all []string
		for _, a := range l.Now {
			one := a.String()
			if a == l.Temporary {
				one += " (temporary)"
			}
			all = append(all, one)
		}
		text += ": " + strings.Join(all, ", ") + "; from the boot: " + gave
	}
	if l.State != runstate.Present {
		text += ", " + l.State
	}
	if l.PutBack != 0 {
		text += fmt.Sprintf(", put back %d times", l.PutBack)
	}
	return text
}

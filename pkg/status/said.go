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

// said is what the agent has written, and whether it runs.
type said struct {
	runstate.Status
	stale bool // the agent could not write another one since
	agent agent
}

// readReport reads the agent's report, or the last one that it could write.
func readReport(path string) said {
	if _, err := os.Stat(path); err == nil {
		s, _ := readSaid(path)
		return s
	}
	s, ok := readSaid(path + runstate.StaleSuffix)
	s.stale = ok
	return s
}

// readSaid reads a report; not ok: there is nothing in it.
func readSaid(path string) (s said, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return said{}, false
	}
	if s.Status, err = runstate.ParseStatus(string(b)); err != nil {
		return said{}, false
	}
	return s, s.Lines() != ""
}

// rows are what the agent tells of a session.
func (s *said) rows(sid uint32, now time.Duration) []row {
	var rows []row
	v, timers, disks := s.Of(sid)
	if v.State != "" {
		if s.stale {
			rows = append(rows, row{"old", "what follows is as it was " + seconds(s.Age(now)) + " ago"})
		}
		rows = append(rows, row{"kept by", s.keptBy(v.Owner)}, row{"outages", outages(&v)})
		if v.State == runstate.Down {
			rows = append(rows, row{"down", "for " + seconds(v.Down+s.Age(now))})
		}
	}
	if left := v.Waits - s.Age(now); left > 0 {
		rows = append(rows, row{"waits", "for " + seconds(left) + " before the next login"})
	}
	for _, t := range timers {
		rows = append(rows, row{"timer", fmt.Sprintf("recovery_tmo put back to %d s %s after %s: blacklist the disk in multipath.conf", t.Seconds, times(t.PutBack), t.By)})
	}
	for _, d := range disks {
		rows = append(rows, row{"disk", fmt.Sprintf("%s answers every command with an error for %s: see the target's log", d.Name, seconds(d.ErrorsFor+s.Age(now)))})
	}
	if len(v.Portals) > 0 {
		rows = append(rows, row{"tried at", strings.Join(v.Portals, ", ")})
	}
	for _, c := range v.Causes {
		rows = append(rows, row{"because", words.Mask(c)})
	}
	return rows
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
func (s *said) replaced(now time.Duration) []string {
	var out []string
	for _, r := range s.Replaced {
		why := "it did not run any more" // stuck
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
func (s *said) network(now time.Duration) []string {
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

// linkText tells of a link which addresses it has now, and what the boot gave it where that is
// something else.
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
	if l.State != runstate.There {
		text += ", " + l.State
	}
	if l.PutBack != 0 {
		text += fmt.Sprintf(", put back %d times", l.PutBack)
	}
	return text
}

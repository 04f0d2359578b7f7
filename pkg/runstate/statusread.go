package runstate

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// ParseStatus reads what Format wrote.
func ParseStatus(text string) (Status, error) {
	var s Status
	if len(text) > maxText {
		return s, fmt.Errorf("parse status: %d bytes, limit %d", len(text), maxText)
	}
	for line := range strings.Lines(text) {
		f := fields(line)
		switch {
		case len(f) == 2 && f[0] == "version":
			if err := checkVersion(f[1]); err != nil {
				return Status{}, fmt.Errorf("parse status: %w", err)
			}
		case len(f) == 2 && f[0] == "since-boot":
			s.SinceBoot = seconds(f[1])
		case len(f) < 4:
		case f[0] == "session":
			if err := s.session(f, line); err != nil {
				return Status{}, fmt.Errorf("parse status: %w", err)
			}
		case f[0] == "link":
			s.link(f[1], pairs(f[2:]))
		case f[0] == "lease":
			s.lease(f[1], pairs(f[2:]))
		case f[0] == "agent":
			p := pairs(f[2:])
			s.Replaced = append(s.Replaced, Replaced{Half: f[1], Times: p.number("replaced"), Reason: p.text("reason"), At: p.seconds("at")})
		}
	}
	return s, nil
}

// session reads a line of a session: its third word is the kind of the line.
func (s *Status) session(f []string, line string) error {
	n, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return nil
	}
	sid, p := uint32(n), pairs(f[2:])
	switch f[2] {
	case "leg":
		if len(s.Legs) == maxSessions {
			return fmt.Errorf("more than %d legs", maxSessions)
		}
		s.Legs = append(s.Legs, LegStatus{SID: sid, Array: p.text("leg")})
		return nil
	case "timer":
		put, _ := strconv.ParseUint(f[3], 10, 32)
		s.Timers = append(s.Timers, TimerStatus{SID: sid, Seconds: uint32(put), PutBack: p.number("put-back"), By: p.text("by")})
		return nil
	case "disk":
		s.Disks = append(s.Disks, DiskStatus{SID: sid, Name: p.text("disk"), ErrorsFor: p.seconds("errors-for")})
		return nil
	case "target", "waits", "portal", "cause":
	default:
		return nil
	}
	v := s.find(sid)
	if v == nil {
		if len(s.Sessions) == maxSessions {
			return fmt.Errorf("more than %d sessions", maxSessions)
		}
		s.Sessions = append(s.Sessions, SessionStatus{SID: sid})
		v = &s.Sessions[len(s.Sessions)-1]
	}
	v.take(f[2], p, line)
	return nil
}

// find returns what there is about a session; nil: nothing.
func (s *Status) find(sid uint32) *SessionStatus {
	for i := range s.Sessions {
		if s.Sessions[i].SID == sid {
			return &s.Sessions[i]
		}
	}
	return nil
}

// take takes in a line about the session itself.
func (v *SessionStatus) take(what string, p pairs, line string) {
	switch what {
	case "target":
		v.Target, v.State, v.Owner = p.text("target"), p.text("state"), p.text("owner")
		v.Outages, v.Longest, v.Down = p.number("outages"), p.seconds("longest"), p.seconds("down")
	case "waits":
		v.Waits = p.seconds("waits")
	case "portal":
		v.Portals = append(v.Portals, p.text("portal"))
	case "cause":
		_, quoted, _ := strings.Cut(strings.TrimSpace(line), " cause ")
		if cause, err := strconv.Unquote(quoted); err == nil && cause != "" {
			v.Causes = append(v.Causes, cause)
		}
	}
}

func (s *Status) link(name string, p pairs) {
	l := LinkStatus{
		Name: name, MAC: p.text("mac"), Address: p.prefix("address"), Method: dhcp.Method(p.text("by")), State: p.text("state"),
		PutBack: p.number("put-back"), Place: p.text("place"), Temporary: p.prefix("temporary"),
	}
	if i := slices.Index(p, "now"); i >= 0 && i%2 == 0 {
		l.Now = []netip.Prefix{}
		for text := range strings.SplitSeq(p.text("now"), ",") {
			if a, err := netip.ParsePrefix(text); err == nil {
				l.Now = append(l.Now, a)
			}
		}
	}
	s.Links = append(s.Links, l)
}

// lease takes in the line behind its link's.
func (s *Status) lease(name string, p pairs) {
	i := len(s.Links) - 1
	if i < 0 || s.Links[i].Name != name {
		return
	}
	e := LeaseStatus{Obtained: p.seconds("since"), Renew: p.seconds("renew"), Ends: p.seconds("ends")}
	e.Server, _ = netip.ParseAddr(p.text("from"))
	s.Links[i].Lease = &e
}

// Of returns what there is about a session: the zero value's State is empty.
func (s *Status) Of(sid uint32) (v SessionStatus, timers []TimerStatus, disks []DiskStatus) {
	if found := s.find(sid); found != nil {
		v = *found
	}
	for _, t := range s.Timers {
		if t.SID == sid {
			timers = append(timers, t)
		}
	}
	for _, d := range s.Disks {
		if d.SID == sid {
			disks = append(disks, d)
		}
	}
	return v, timers, disks
}

// Age is how old the status is.
func (s *Status) Age(now time.Duration) time.Duration { return max(0, now-s.SinceBoot) }

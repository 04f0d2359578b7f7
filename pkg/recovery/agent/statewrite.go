package agent

import (
	"fmt"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// Limits of a state, which its writer and its reader share.
const (
	maxState   = 64 << 10 // bytes that are handed over
	maxUplinks = 64
	maxWWIDs   = 16
	maxArrays  = 4   // that a session's end is noted for
	maxWorkers = 16  // that have worked on a replacement
	maxCause   = 512 // bytes of an error's text; those of 64 portals may be joined in one
)

// Append writes the state down, the sessions last. What is above a limit of the reader is left out:
// portals of a session (session.State.Bounded), from all sessions alike until the text has maxState
// bytes, uplinks and past sessions beyond the limits, and the end of a cause. It fails, with b as
// it was, if that is not enough, or if there are too many sessions.
func (s State) Append(b []byte) ([]byte, error) {
	if n := len(s.Sessions); n > session.MaxStates {
		return b, fmt.Errorf("the agent's state: %d sessions, limit %d", n, session.MaxStates)
	}
	before := len(b)
	b = s.appendHead(b)
	head := len(b)
	for portals := session.MaxPortals; ; portals /= 2 {
		var err error
		for _, st := range s.Sessions {
			if b, err = session.AppendState(b, st.Bounded(portals)); err != nil {
				break
			}
		}
		if n := len(b) - before; err == nil && n > maxState {
			err = fmt.Errorf("%d bytes, limit %d", n, maxState)
			if portals > 1 {
				clear(b[head:]) // there are secrets in it
				b = b[:head]
				continue
			}
		}
		if err != nil {
			clear(b[before:])
			return b[:before], fmt.Errorf("the agent's state: %w", err)
		}
		return b, nil
	}
}

// appendHead writes all but the sessions.
func (s *State) appendHead(b []byte) []byte {
	b = fmt.Appendf(b, "at %d\n", int64(s.At))
	b = fmt.Appendf(b, "mirror-tmo %d\n", int64(s.MirrorTimeout))
	if r := s.Replacing; r != nil {
		luns := strings.Trim(fmt.Sprint(r.LUNs[:min(len(r.LUNs), session.MaxLUNs)]), "[]")
		workers := strings.Trim(fmt.Sprint(r.Workers[max(0, len(r.Workers)-maxWorkers):]), "[]")
		b = fmt.Appendf(b, "replacing %d %q %q %q\n", r.SID, workers, luns, joinArrays(r.Arrays))
	}
	for _, l := range s.Legs[:min(len(s.Legs), session.MaxStates)] {
		b = fmt.Appendf(b, "leg %d %q\n", l.SID, joinArrays(l.Arrays))
	}
	for _, p := range s.Past[:min(len(s.Past), session.MaxStates)] {
		b = fmt.Appendf(b, "past %d %t %t %d %d %d %q %q %d %t %d\n", p.SID, p.Up, p.Ended, p.Outages, int64(p.Longest), int64(p.Down), cutCause(p.Cause),
			cutCause(p.LastErr), int64(p.NotBefore), p.Forced, p.Refused)
	}
	for _, u := range s.Uplinks[:min(len(s.Uplinks), maxUplinks)] {
		b = fmt.Appendf(b, "uplink %d %q %t %q %q %d %q %t %t %q\n", u.Index, u.MAC, u.Known, u.Permanent, u.Kind, u.VLAN, u.Parent,
			u.Keep, u.Temporary, runstate.FormatLease(u.Lease))
	}
	for _, id := range s.WWIDs[:min(len(s.WWIDs), maxWWIDs)] {
		b = fmt.Appendf(b, "wwid %q\n", string(id))
	}
	b = s.Paths.Append(s.Disks.Append(b))
	return append(b, "sessions\n"...)
}

// joinArrays joins names, of which none has a blank (dm.Mangle), up to a limit.
func joinArrays(names []string) string {
	return strings.Join(names[:min(len(names), maxArrays)], " ")
}

// cutCause returns the beginning of an error's text.
func cutCause(text string) string { return text[:min(len(text), maxCause)] }

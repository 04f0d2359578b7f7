package runstate

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Session is a session of the boot.
type Session struct {
	SID       uint32 // the kernel's session id
	Initiator string
	Target    string
	Portal    netip.AddrPort
	Root      bool // root is on it
}

// maxSessions is how many of them are written and read.
const maxSessions = 1024

// FormatSessions writes which sessions there are, and which are root's, for iscsiroot's programs,
// people and scripts. Of more than maxSessions, root's are kept, and then the first.
func FormatSessions(all []Session) string {
	if len(all) > maxSessions {
		var roots, others []Session
		for _, s := range all {
			if s.Root {
				roots = append(roots, s)
			} else {
				others = append(others, s)
			}
		}
		all = append(roots, others...)
	}
	b := lines{limit: maxText}
	b.add("# Sessions that iscsiroot made before the real system started.\n")
	for _, s := range all[:min(len(all), maxSessions)] {
		mark := ""
		if s.Root {
			mark = " root"
		}
		b.add("session %d target %s portal %s initiator %s%s\n", s.SID, word(s.Target), s.Portal, word(s.Initiator), mark)
	}
	return b.String()
}

// ParseSessions reads what FormatSessions wrote. A session counts by its id alone. With the error
// of a text that is too long come the sessions up to the limit.
func ParseSessions(text string) ([]Session, error) {
	if len(text) > maxText {
		out, err := ParseSessions(text[:strings.LastIndexByte(text[:maxText], '\n')+1])
		return out, cmp.Or(err, fmt.Errorf("parse sessions: %d bytes, limit %d", len(text), maxText))
	}
	var out []Session
	for line := range strings.Lines(text) {
		f := fields(line)
		if len(f) == 2 && f[0] == "version" {
			if err := checkVersion(f[1]); err != nil {
				return nil, fmt.Errorf("parse sessions: %w", err)
			}
		}
		if len(f) < 2 || f[0] != "session" {
			continue
		}
		sid, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil {
			continue
		}
		if len(out) == maxSessions {
			return out, fmt.Errorf("parse sessions: more than %d", maxSessions)
		}
		p := pairs(f[2:])
		s := Session{SID: uint32(sid), Initiator: p.text("initiator"), Target: p.text("target")}
		s.Portal, _ = netip.ParseAddrPort(p.text("portal"))
		s.Root = len(p)%2 == 1 && p[len(p)-1] == "root"
		out = append(out, s)
	}
	return out, nil
}

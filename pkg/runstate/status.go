package runstate

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/network/dhcp"
)

// Status is the state that the agent reports: how its sessions, their disks, the links and its own
// processes are. Times are in the precision that their text has. There is no secret in it.
type Status struct {
	SinceBoot time.Duration // when it was written
	Sessions  []SessionStatus
	Legs      []LegStatus
	Timers    []TimerStatus
	Disks     []DiskStatus
	Links     []LinkStatus
	Replaced  []Replaced
}

// The states of a session.
const (
	Up    = "up"    // commands flow
	Down  = "down"  // they do not
	Ended = "ended" // the session is no more
)

// The programs that log a session in again.
const (
	OwnerAgent  = "iscsiroot"
	OwnerISCSID = "iscsid"
)

// SessionStatus is the agent's state of a session.
type SessionStatus struct {
	SID     uint32
	Target  string
	State   string // Up, Down or Ended; empty: unknown
	Owner   string // OwnerAgent or OwnerISCSID
	Outages int    // that ended
	Longest time.Duration
	Down    time.Duration // for how long it has been
	Waits   time.Duration // before the next login
	Portals []string      // that are tried
	Causes  []string      // of the outage, and of what failed last; never empty ones
}

// LegStatus is an array, or a volume of LVM, that works without the disks of a session.
type LegStatus struct {
	SID   uint32
	Array string
}

// TimerStatus is a recovery_tmo that another program had changed.
type TimerStatus struct {
	SID     uint32
	Seconds uint32 // what it was put back to
	PutBack int    // how often
	By      string // the other program
}

// DiskStatus is a disk that answers with errors.
type DiskStatus struct {
	SID       uint32
	Name      string // of the block device
	ErrorsFor time.Duration
}

// The states of a link.
const (
	Present = "there"
	Lost    = "lost" // without carrier
	Removed = "gone" // the device is
)

// LinkStatus is an address that the boot gave to a link, and what there is now.
type LinkStatus struct {
	Name      string
	MAC       string
	Address   netip.Prefix
	Method    dhcp.Method
	State     string         // There, Lost or Gone
	PutBack   int            // how often the address was
	Now       []netip.Prefix // its addresses; nil: not known
	Place     string         // the link that has the address in its place; empty: it has it itself
	Temporary netip.Prefix   // an address that is kept beside the system's own; not valid: none
	Lease     *LeaseStatus   // nil: the address is not leased, or without end
}

// LeaseStatus is how a lease of IPv4 is; the times are since boot.
type LeaseStatus struct {
	Server                netip.Addr
	Obtained, Renew, Ends time.Duration
}

// Replaced is one of the agent's two processes that the other one has replaced.
type Replaced struct {
	Half   string // "supervisor" or "worker"
	Times  int
	Reason string // "ended", "stopped" or "stuck"
	At     time.Duration
}

// Limits of what is written of one session: the rest is left out.
const (
	maxPortals = 64
	maxCauses  = 8
	maxCause   = 1 << 10 // bytes
)

// JoinStatus makes a file of what FormatSinceBoot and Lines wrote. Lines that ParseStatus has no
// room for are left out.
func JoinStatus(parts ...string) string {
	b := lines{limit: maxText}
	for _, part := range parts {
		for line := range strings.Lines(part) {
			b.add("%s", line)
		}
	}
	return b.String()
}

// FormatSinceBoot writes the first line, which differs each time.
func FormatSinceBoot(at time.Duration) string {
	return fmt.Sprintf("since-boot %d\n", int(at.Seconds()))
}

// Lines writes all but the first line. The lines of a status that was put together are those of its
// parts, in the order of the fields.
func (s *Status) Lines() string {
	var b strings.Builder
	for i := range upTo(maxSessions, s.Sessions) {
		s.Sessions[i].write(&b)
	}
	for _, l := range upTo(maxSessions, s.Legs) {
		_, _ = fmt.Fprintf(&b, "session %d leg %s\n", l.SID, word(l.Array))
	}
	for _, t := range s.Timers {
		_, _ = fmt.Fprintf(&b, "session %d timer %d put-back %d by %s\n", t.SID, t.Seconds, t.PutBack, joined(t.By))
	}
	for _, d := range s.Disks {
		_, _ = fmt.Fprintf(&b, "session %d disk %s errors-for %.0f\n", d.SID, word(d.Name), d.ErrorsFor.Seconds())
	}
	for i := range s.Links {
		s.Links[i].write(&b)
	}
	for _, r := range s.Replaced {
		_, _ = fmt.Fprintf(&b, "agent %s replaced %d reason %s at %d\n", word(r.Half), r.Times, word(r.Reason), int(r.At.Seconds()))
	}
	return b.String()
}

func (s *SessionStatus) write(b *strings.Builder) {
	_, _ = fmt.Fprintf(b, "session %d target %s state %s owner %s outages %d longest %.1f down %.1f\n",
		s.SID, word(s.Target), word(s.State), word(s.Owner), s.Outages, s.Longest.Seconds(), s.Down.Seconds())
	if s.Waits > 0 {
		_, _ = fmt.Fprintf(b, "session %d waits %.1f\n", s.SID, s.Waits.Seconds())
	}
	for _, p := range upTo(maxPortals, s.Portals) {
		_, _ = fmt.Fprintf(b, "session %d portal %s\n", s.SID, word(p))
	}
	for _, cause := range upTo(maxCauses, s.Causes) {
		if cause != "" {
			_, _ = fmt.Fprintf(b, "session %d cause %q\n", s.SID, cause[:min(len(cause), maxCause)])
		}
	}
}

func (l *LinkStatus) write(b *strings.Builder) {
	_, _ = fmt.Fprintf(b, "link %s mac %s address %s by %s state %s put-back %d",
		word(l.Name), word(l.MAC), l.Address, word(string(l.Method)), word(l.State), l.PutBack)
	if l.Now != nil {
		b.WriteString(" now " + addresses(l.Now))
	}
	if l.Place != "" {
		b.WriteString(" place " + word(l.Place))
	}
	if l.Temporary.IsValid() {
		b.WriteString(" temporary " + l.Temporary.String())
	}
	b.WriteByte('\n')
	if e := l.Lease; e != nil {
		_, _ = fmt.Fprintf(b, "lease %s from %s since %d renew %d ends %d\n", word(l.Name), e.Server,
			int(e.Obtained.Seconds()), int(e.Renew.Seconds()), int(e.Ends.Seconds()))
	}
}

// addresses writes them with commas.
func addresses(list []netip.Prefix) string {
	if len(list) == 0 {
		return none
	}
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/clock"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/paths"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/uplink"
	"github.com/iscsiroot/iscsiroot/pkg/runstate"
	"github.com/iscsiroot/iscsiroot/pkg/session"
	"github.com/iscsiroot/iscsiroot/pkg/words"
)

// State is what PID 1 hands to the agent, and one worker to the next. There are secrets in it: it
// never leaves memory.
type State struct {
	Sessions []session.State
	Uplinks  []uplink.Uplink
	Disks    disks.Memory
	Paths    paths.Memory
	// WWIDs join disks of different targets, see multipath.Same.
	WWIDs []multipath.ID
	// MirrorTimeout is for how long the agent tries to log a session in before it ends the
	// session, if all works without it; 0: never.
	MirrorTimeout time.Duration
	// Replacing is the session that is being ended and made anew; nil: none.
	Replacing *Replacing
	Legs      []Leg
	// Past is what the worker that ended knew, at a time on the clock of clock.SinceBoot.
	Past []recovery.Status
	At   time.Duration
}

// Replacing is a session of the list that a worker has begun to end: see replace.go.
type Replacing struct {
	SID uint32
	// Workers are the processes that have worked on it, which are the creators of new sessions,
	// maxWorkers at most.
	Workers []int
	LUNs    []uint64 // of the disks that it had
	Arrays  []string // that lose members
}

// Leg is a session that took the place of one that was ended, and the arrays that lost members.
type Leg struct {
	SID    uint32
	Arrays []string
}

// With returns the state with what is known of the sessions at this moment.
func (s State) With(past []recovery.Status) State {
	s.Past, s.At = past, clock.SinceBoot()
	return s
}

// errState says that a state was not written by Append. It does not show what is in it.
var errState = errors.New("the agent's state is damaged")

// parseState reads what Append wrote.
func parseState(b []byte) (State, error) {
	var s State
	head, rest, ok := bytes.Cut(b, []byte("sessions\n"))
	if !ok {
		return s, errState
	}
	for line := range strings.Lines(string(head)) {
		if err := s.line(strings.TrimSuffix(line, "\n")); err != nil {
			return State{}, fmt.Errorf("%w: %w", errState, err)
		}
	}
	var err error
	s.Sessions, err = session.ParseStates(rest)
	return s, err
}

// line takes one in.
func (s *State) line(line string) error {
	key, values, _ := strings.Cut(line, " ")
	switch key {
	case "at":
		n, err := strconv.ParseInt(values, 10, 64)
		s.At = time.Duration(n)
		return err
	case "mirror-tmo":
		n, err := strconv.ParseInt(values, 10, 64)
		s.MirrorTimeout = time.Duration(n)
		return err
	case "wwid":
		var id string
		err := words.Read(values, &id)
		if len(s.WWIDs) == maxWWIDs {
			return fmt.Errorf("more than %d WWIDs", maxWWIDs)
		}
		s.WWIDs = append(s.WWIDs, multipath.ID(id))
		return err
	case "replacing":
		r := &Replacing{}
		var workers, luns, arrays string
		if err := words.Read(values, &r.SID, &workers, &luns, &arrays); err != nil {
			return err
		}
		for text := range strings.FieldsSeq(workers) {
			pid, err := strconv.Atoi(text)
			if err != nil || len(r.Workers) == maxWorkers {
				return fmt.Errorf("workers %q", workers)
			}
			r.Workers = append(r.Workers, pid)
		}
		for text := range strings.FieldsSeq(luns) {
			lun, err := strconv.ParseUint(text, 10, 64)
			if err != nil || len(r.LUNs) == session.MaxLUNs {
				return fmt.Errorf("LUNs %q", luns)
			}
			r.LUNs = append(r.LUNs, lun)
		}
		s.Replacing = r
		return splitArrays(arrays, &r.Arrays)
	case "leg":
		if len(s.Legs) == session.MaxStates {
			return fmt.Errorf("more than %d legs", session.MaxStates)
		}
		var l Leg
		var arrays string
		if err := words.Read(values, &l.SID, &arrays); err != nil {
			return err
		}
		err := splitArrays(arrays, &l.Arrays)
		s.Legs = append(s.Legs, l)
		return err
	case "past":
		if len(s.Past) == session.MaxStates {
			return fmt.Errorf("more than %d sessions", session.MaxStates)
		}
		var p recovery.Status
		err := words.Read(values, &p.SID, &p.Up, &p.Ended, &p.Outages, &p.Longest, &p.Down, &p.Cause,
			&p.LastErr, &p.NotBefore, &p.Forced, &p.Refused)
		s.Past = append(s.Past, p)
		return err
	case "uplink":
		var u uplink.Uplink
		var lease string
		if err := words.Read(values, &u.Index, &u.MAC, &u.Known, &u.Permanent, &u.Kind, &u.VLAN, &u.Parent,
			&u.Keep, &u.Temporary, &lease); err != nil {
			return err
		}
		var err error
		if u.Lease, err = runstate.ParseLease(lease); len(s.Uplinks) == maxUplinks {
			return fmt.Errorf("more than %d uplinks", maxUplinks)
		}
		s.Uplinks = append(s.Uplinks, u)
		return err
	}
	if known, err := s.Disks.Line(key, values); known {
		return err
	}
	if known, err := s.Paths.Line(key, values); known {
		return err
	}
	return fmt.Errorf("what is %q", key)
}

// splitArrays undoes joinArrays.
func splitArrays(text string, to *[]string) error {
	*to = strings.Fields(text)
	if len(*to) > maxArrays {
		return fmt.Errorf("more than %d arrays", maxArrays)
	}
	return nil
}

// past is what the agent knew, as it stands now: what was down still is, as far as anybody knows.
func (s State) past(now time.Duration) []recovery.Status {
	out := slices.Clone(s.Past)
	for i := range out {
		if p := &out[i]; !p.Up && !p.Ended {
			p.Down += max(0, now-s.At)
			p.NotBefore = max(0, p.NotBefore-max(0, now-s.At))
		}
	}
	return out
}

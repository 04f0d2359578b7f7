package table

import (
	"fmt"
	"strings"
)

// Multipath sends I/O to the paths of one group, in the order of the groups: to the first that has
// a path that works (drivers/md/dm-mpath.c; there is no document of its table). Request based, as
// the kernel makes it without a queue_mode.
type Multipath struct {
	// Queue holds I/O back while no path works; without it the I/O fails.
	Queue  bool
	Groups []PathGroup // at most maxGroups; without any all paths are missing
	// First is the number of the group to begin with, from 1; 0 if there are no groups.
	First int
}

// PathGroup is paths that are used together, each as it is the least busy (service-time).
type PathGroup struct{ Paths []Number }

// maxGroups is the kernel's (drivers/md/dm-mpath.c: multipath_ctr).
const maxGroups = 1024

const (
	pathSelector = "service-time"
	queueWord    = "queue_if_no_path"
)

// Type implements [Target].
func (*Multipath) Type() string { return "multipath" }

// Params implements [Target]. A hardware handler is not named: the kernel keeps the one that the
// SCSI device has (drivers/md/dm-mpath.c: setup_scsi_dh, since 4.3).
func (m *Multipath) Params() string {
	var w words
	if m.Queue {
		w.number(1)
		w.word(queueWord)
	} else {
		w.number(0)
	}
	w.number(0)
	w.number(uint64(len(m.Groups)))
	w.number(uint64(m.First))
	for _, g := range m.Groups {
		w.word(pathSelector)
		w.number(0)
		w.number(uint64(len(g.Paths)))
		w.number(2)
		for _, p := range g.Paths {
			w.dev(p)
			w.number(1) // requests in succession on one path
			w.number(1) // throughput of the path, relative to the others'
		}
	}
	return w.String()
}

func (m *Multipath) validate() error {
	if m.First > len(m.Groups) || m.First < min(1, len(m.Groups)) {
		return fmt.Errorf("group %d of %d", m.First, len(m.Groups))
	}
	if len(m.Groups) > maxGroups {
		return fmt.Errorf("%d groups are more than %d", len(m.Groups), maxGroups)
	}
	for i, g := range m.Groups {
		if len(g.Paths) == 0 {
			return fmt.Errorf("group %d has no path", i+1)
		}
	}
	return nil
}

// multipath reads a table that this package or multipathd has made. Other features than those of
// Multipath are not kept, nor are the hardware handler and the selectors.
func (r *reader) multipath() *Multipath {
	m := &Multipath{}
	for range r.count(1) {
		m.Queue = r.word() == queueWord || m.Queue
	}
	r.skip() // the hardware handler and its arguments
	groups := r.count(1)
	m.First = int(r.number(31))
	for range groups {
		m.Groups = append(m.Groups, r.pathGroup())
	}
	return m
}

// skip reads how many words follow, and these.
func (r *reader) skip() {
	for range r.count(1) {
		r.word()
	}
}

func (r *reader) pathGroup() (g PathGroup) {
	r.word() // the selector
	r.skip()
	paths := r.count(1)
	arguments := int(r.number(8))
	for range paths {
		g.Paths = append(g.Paths, r.dev())
		for range arguments {
			r.word()
		}
	}
	return g
}

// MultipathStatus is the state of a multipath map.
type MultipathStatus struct{ Groups []PathGroupStatus }

// PathGroupStatus is the state of a group.
type PathGroupStatus struct {
	State byte // 'A': in use, 'E': enabled, 'D': disabled
	Paths []PathStatus
}

// PathStatus is the state of a path.
type PathStatus struct {
	Number   Number
	Failed   bool
	Failures uint32 // how often it has failed since the table was loaded
}

// ParseMultipathStatus reads the text of a map's status (drivers/md/dm-mpath.c: multipath_status).
func ParseMultipathStatus(text string) (MultipathStatus, error) {
	r := &reader{rest: strings.Fields(text)}
	s := r.multipathStatus()
	if len(r.rest) > 0 {
		r.fail(fmt.Errorf("%q behind the end: %w", r.rest[0], errForm))
	}
	if r.err != nil {
		return MultipathStatus{}, fmt.Errorf("status of a multipath map %q: %w", text, r.err)
	}
	return s, nil
}

// multipathStatus: "2 QUEUE-IO PG-INITS HANDLER-ARGS.. GROUPS NEXT {STATE SELECTOR-ARGS.. PATHS
// ARGS {DEV A|F FAILURES ARGS..}..}..". The first two are about the start of a group by the
// handler.
func (r *reader) multipathStatus() (s MultipathStatus) {
	r.skip()
	r.skip()
	groups := r.count(1)
	r.number(31)
	for range groups {
		s.Groups = append(s.Groups, r.pathGroupStatus())
	}
	return s
}

func (r *reader) pathGroupStatus() (g PathGroupStatus) {
	if state := r.word(); len(state) == 1 && strings.Contains("AED", state) {
		g.State = state[0]
	} else {
		r.fail(fmt.Errorf("group %q: %w", state, errForm))
	}
	r.skip()
	paths := r.count(1)
	arguments := int(r.number(8))
	for range paths {
		p := PathStatus{Number: r.dev()}
		switch state := r.word(); state {
		case "A":
		case "F":
			p.Failed = true
		default:
			r.fail(fmt.Errorf("path %q: %w", state, errForm))
		}
		p.Failures = uint32(r.number(32))
		for range arguments {
			r.word()
		}
		g.Paths = append(g.Paths, p)
	}
	return g
}

package paths

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/blockdev"
	"github.com/iscsiroot/iscsiroot/pkg/contain"
	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
)

// A map gets a new table in a goroutine of its own: the kernel waits until what is in flight has
// ended, as long as a path takes to fail, and other paths fail and are reinstated meanwhile.

// change is a change of the table of a map.
type change struct {
	name string // of the map
	key  string // what is changed: after an error the pause is for that alone
	text string // what it does, for the log
	do   func(ctx context.Context) error
	done func() // is called when it has succeeded; may be nil
}

// changeResult is its end.
type changeResult struct {
	change
	err error
}

// The pauses after a change that failed: the disk may be in use, or its session may be lost again.
const (
	minChangePause = time.Second // what has a new disk open, as udev's probe, ends sooner
	maxChangePause = time.Minute // a disk that stays in use is no path, and is asked for seldom
)

// changeMaps begins a change that is due, if none runs, and returns when to call it again.
func (k *Keeper) changeMaps(all []maps.Map, sessions []Session) time.Duration {
	if k.changing {
		return recovery.SurveyEvery
	}
	next := recovery.SurveyEvery
	for i := range all {
		m := k.state(all[i].Name)
		next = min(next, m.nextTry(k.now()))
		if c, ok := k.nextChange(&all[i], m, all, sessions); ok {
			k.begin(c)
			return next
		}
	}
	return next
}

// retry is when a change that failed is tried again: other changes of the map do not wait for it.
type retry struct{ at, pause time.Duration }

// groupsKey is the key of a change of the groups.
const groupsKey = "groups"

// nextTry returns how long it is until a change that failed is to be tried again. It forgets those
// that were not, long after that: their disk is gone.
func (m *mapState) nextTry(now time.Duration) time.Duration {
	next := recovery.SurveyEvery
	for key, r := range m.retries {
		switch {
		case r.at > now:
			next = min(next, r.at-now)
		case now-r.at > maxChangePause:
			delete(m.retries, key)
		}
	}
	return next
}

func (k *Keeper) begin(c change) {
	k.changing = true
	ctx := k.ctx
	k.tasks.Go(contain.Func("change of map "+c.name, func() {
		err := contain.Call("change of map "+c.name, func() error { return c.do(ctx) })
		select {
		case k.changes <- changeResult{c, err}:
		case <-ctx.Done():
		}
	}, nil))
}

// hasChanged handles the end of a change.
func (k *Keeper) hasChanged(c changeResult) {
	k.changing = false
	m := k.maps[c.name]
	k.warn(c.name+" "+c.key, c.err)
	switch {
	case m == nil:
	case c.err != nil:
		pause := min(max(2*m.retries[c.key].pause, minChangePause), maxChangePause)
		m.retries[c.key] = retry{at: k.now() + pause, pause: pause}
	default:
		delete(m.retries, c.key)
		if c.done != nil {
			c.done()
		}
		k.cfg.Log.Infof("map %s: %s", c.name, c.text)
	}
}

// nextChange returns what is to be changed next of a map.
func (k *Keeper) nextChange(mp *maps.Map, m *mapState, all []maps.Map, sessions []Session) (change, bool) {
	for _, p := range mp.Paths {
		key := "path " + p.Number.String()
		if p.Disk == "" && len(mp.Paths) > 1 && m.retries[key].at <= k.now() {
			do := func(ctx context.Context) error { return k.cfg.Maps.Leave(ctx, mp.Name, p.Number) }
			return change{name: mp.Name, key: key, text: fmt.Sprintf("path %s is gone, %d left", p.Number, len(mp.Paths)-1), do: do}, true
		}
	}
	if c, ok := k.nextJoin(mp, m, all, sessions); ok {
		return c, true
	}
	if m.retries[groupsKey].at > k.now() {
		return change{}, false
	}
	return k.regroup(mp, m)
}

// nextJoin finds a disk that is a path of the map and not in it.
func (k *Keeper) nextJoin(mp *maps.Map, m *mapState, all []maps.Map, sessions []Session) (change, bool) {
	for _, s := range sessions {
		if up, _ := k.sessionUp(s.ID()); !up {
			continue
		}
		luns, err := blockdev.LUNs(k.cfg.Sys, s.ID())
		if err != nil { // the session is being removed
			continue
		}
		for _, u := range luns {
			key := fmt.Sprintf("disk %s of session %d", u.Disk, s.ID())
			if u.Disk == "" || inMaps(all, u.Disk) || m.retries[key].at > k.now() {
				continue
			}
			p, err := k.cfg.Maps.Read(u, s.String())
			if err == nil && k.belongs(mp, m, p, sessions) {
				c := k.join(mp, p, s, sessions)
				c.key = key
				return c, true
			}
		}
	}
	return change{}, false
}

func inMaps(all []maps.Map, disk string) bool {
	return slices.ContainsFunc(all, func(m maps.Map) bool {
		return slices.ContainsFunc(m.Paths, func(p maps.Path) bool { return p.Disk == disk })
	})
}

// belongs reports whether a disk is a path of a map. One of a target that never had a path in it
// may be of a copied target with the same WWIDs, and its contents cannot be compared while the map
// is in use: only the WWID given joins it.
func (k *Keeper) belongs(mp *maps.Map, m *mapState, p multipath.Path, sessions []Session) bool {
	var allow []multipath.ID
	if k.cfg.Allow != nil {
		allow = k.cfg.Allow()
	}
	if mp.Gone() { // no disk is left to compare with: the ID must be the only one
		elsewhere := p
		elsewhere.ID, elsewhere.Size, elsewhere.Target = mp.ID, mp.Size, ""
		if slices.Contains(m.targets, p.Target) {
			elsewhere.Target = p.Target
		}
		return multipath.Same(elsewhere, p, allow)
	}
	return slices.ContainsFunc(mp.Paths, func(have maps.Path) bool {
		s := find(sessions, have.Session)
		if s == nil {
			return false
		}
		have.Target = s.String()
		if slices.Contains(m.targets, p.Target) {
			have.Target = p.Target
		}
		return multipath.Same(have.Path, p, allow)
	})
}

// join makes a disk a path. A change of the table waits for what is in flight, which does not end
// while a session that is down has the recovery time-out of a disk.
func (k *Keeper) join(mp *maps.Map, p multipath.Path, s Session, sessions []Session) change {
	text := fmt.Sprintf("path %s joined, %d paths", describe(maps.Path{Path: p, Session: s.ID()}, []Session{s}), len(mp.Paths)+1)
	c := change{name: mp.Name, text: text}
	all := []Session{s}
	for _, have := range mp.Paths {
		if one := find(sessions, have.Session); one != nil {
			all = append(all, one)
		}
	}
	if fresh := s.Queue() == 0; fresh {
		c.do = func(ctx context.Context) error { return k.joinFresh(ctx, mp.Name, p, s, all) }
		c.done = k.changed
	} else {
		c.do = func(ctx context.Context) error { return k.joinPath(ctx, mp.Name, p, all) }
	}
	return c
}

// joinFresh makes a disk a path whose session had plain disks so far.
func (k *Keeper) joinFresh(ctx context.Context, name string, p multipath.Path, s Session, all []Session) error {
	err := s.UseAsPath()
	if err == nil {
		err = k.joinPath(ctx, name, p, all)
	}
	if err != nil {
		return errors.Join(err, s.UseAsDisk())
	}
	if err := s.SetTimers(ctx); err != nil { // the next login does it
		k.cfg.Log.Warnf("multipath: session %d: %v", s.ID(), err)
	}
	return nil
}

// joinPath joins a disk, if all sessions have the recovery time-out of a path.
func (k *Keeper) joinPath(ctx context.Context, name string, p multipath.Path, all []Session) error {
	for _, s := range all {
		if _, due := s.Recovery(); due {
			return fmt.Errorf("join %s: session %d to %s is down, and has no time-out of a path yet", p.Disk, s.ID(), s)
		}
	}
	return k.cfg.Maps.Join(ctx, name, p)
}

// changed calls Changed.
func (k *Keeper) changed() {
	if k.cfg.Changed != nil {
		k.cfg.Changed()
	}
}

// regroup returns the change of the groups after the access states have changed, or of a map that
// is new to the Keeper and has a group with paths of several priorities. Groups that another
// program has made are kept until their access states change.
func (k *Keeper) regroup(mp *maps.Map, m *mapState) (change, bool) {
	var paths []multipath.Path
	for _, p := range mp.Paths {
		if p.Access == multipath.Transitional || p.Disk == "" {
			return change{}, false // accessChange has it looked at again
		}
		paths = append(paths, p.Path)
	}
	changed, fresh := false, false
	for _, p := range paths {
		was := m.paths[p.Number.String()].access
		changed = changed || was != "" && was != accessOf(p)
		fresh = fresh || was == ""
	}
	changed = changed || fresh && mixed(mp) && (k.cfg.Others == nil || !k.cfg.Others())
	done := func() {
		for _, p := range paths {
			if st := m.paths[p.Number.String()]; st != nil {
				st.access = accessOf(p)
			}
		}
	}
	if !changed || len(paths) < 2 {
		done()
		return change{}, false
	}
	do := func(ctx context.Context) error { return k.cfg.Maps.Regroup(ctx, mp.Name, paths) }
	return change{mp.Name, groupsKey, "its groups follow the access states", do, done}, true
}

// mixed reports whether a group of a map has paths of several priorities.
func mixed(mp *maps.Map) bool {
	first := map[int]int{}
	return slices.ContainsFunc(mp.Paths, func(p maps.Path) bool {
		priority, seen := first[p.Group]
		if !seen {
			first[p.Group] = multipath.Priority(p.Path)
		}
		return seen && priority != multipath.Priority(p.Path)
	})
}

// accessOf returns what groups are made by.
func accessOf(p multipath.Path) string {
	return fmt.Sprintf("%s %t", p.Access, p.Preferred)
}

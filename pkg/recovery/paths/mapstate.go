package paths

import (
	"fmt"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/multipath"
	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/rootfs/maps"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// mapState is what a Keeper has seen of a map. Times are on its clock.
type mapState struct {
	paths   map[string]*pathState // by number
	targets []string              // that had a path in it
	down    bool                  // no path works
	since   time.Duration         // since when, if down
	failing bool                  // the Keeper has switched the queue off
	told    bool                  // that something else has was logged
	retries map[string]retry      // the changes that failed, by change.key
}

// pathState is what it has seen of a path.
type pathState struct {
	sid      uint32
	access   string // and whether it is preferred; "": not seen yet
	failed   bool   // as it was logged
	failures int
	since    time.Duration // when that changed
	probing  bool
	probeAt  time.Duration
	pause    time.Duration // until the next read, after one that failed; 0: none has
}

// state returns what was seen of a map.
func (k *Keeper) state(name string) *mapState {
	m := k.maps[name]
	if m == nil {
		m = &mapState{paths: map[string]*pathState{}, retries: map[string]retry{}}
		k.maps[name] = m
	}
	return m
}

// noteTargets notes the targets of a map's paths.
func (m *mapState) noteTargets(mp *maps.Map, sessions []Session) {
	for _, p := range mp.Paths {
		if s := find(sessions, p.Session); s != nil && !slices.Contains(m.targets, s.String()) {
			m.targets = append(m.targets, s.String())
		}
	}
}

// checkMap fails and reinstates the paths of a map by the states of their sessions, logs what has
// changed, and returns when to call it again.
func (k *Keeper) checkMap(mp *maps.Map, sessions []Session) time.Duration {
	m, next := k.state(mp.Name), recovery.SurveyEvery
	for i := range mp.Paths {
		k.failDown(mp.Name, &mp.Paths[i])
	}
	k.logPaths(mp, m, sessions)
	m.noteTargets(mp, sessions)
	for i := range mp.Paths {
		next = min(next, k.checkFailed(mp.Name, m.paths[mp.Paths[i].Number.String()], &mp.Paths[i]))
	}
	for n := range m.paths {
		if !slices.ContainsFunc(mp.Paths, func(p maps.Path) bool { return p.Number.String() == n }) {
			delete(m.paths, n)
		}
	}
	k.failBack(mp)
	return min(next, k.checkQueue(mp, m, sessions))
}

// failDown fails a path whose session is down.
func (k *Keeper) failDown(name string, p *maps.Path) {
	if up, known := k.sessionUp(p.Session); !known || up || p.Failed {
		return
	}
	err := k.cfg.Maps.Message(name, "fail_path "+p.Number.String())
	k.warn(name+" "+p.Number.String(), err)
	p.Failed = err == nil
}

// checkFailed has a path that has failed read as soon as its session is up.
func (k *Keeper) checkFailed(name string, st *pathState, p *maps.Path) time.Duration {
	up, known := k.sessionUp(p.Session)
	switch {
	case known && !up:
		st.probeAt, st.pause = 0, 0
	case known && p.Failed:
		return k.probe(name, st, p)
	}
	return recovery.SurveyEvery
}

// working counts the paths that work.
func working(mp *maps.Map) (n int) {
	for _, p := range mp.Paths {
		if !p.Failed {
			n++
		}
	}
	return n
}

// logPaths logs the paths that have changed.
func (k *Keeper) logPaths(mp *maps.Map, m *mapState, sessions []Session) {
	left, all := working(mp), len(mp.Paths)
	for _, p := range mp.Paths {
		st := m.paths[p.Number.String()]
		if st == nil || st.sid != p.Session {
			st = &pathState{sid: p.Session, since: k.now()}
			m.paths[p.Number.String()] = st
		}
		if st.failed == p.Failed {
			continue
		}
		if p.Failed && k.now()-st.since >= stable {
			st.probeAt, st.pause = 0, 0
		}
		st.failed, st.since = p.Failed, k.now()
		what := fmt.Sprintf("map %s: path %s", mp.Name, describe(p, sessions))
		if !p.Failed {
			k.cfg.Log.Infof("%s is back, %d of %d paths", what, left, all)
			continue
		}
		st.failures++
		k.cfg.Log.Warnf("%s failed, %d of %d paths left", what, left, all)
	}
}

// describe names a path: "sda (session 1 to iqn... at 10.0.0.1:3260)".
func describe(p maps.Path, sessions []Session) string {
	disk := p.Disk
	if disk == "" {
		disk = p.Number.String()
	}
	s := find(sessions, p.Session)
	if s == nil {
		return disk
	}
	return fmt.Sprintf("%s (session %d to %s at %s)", disk, s.ID(), s, s.At())
}

// failBack has a map use the best group that has a path: the kernel stays with a group as long as
// it has one (drivers/md/dm-mpath.c: choose_pgpath).
func (k *Keeper) failBack(mp *maps.Map) {
	best, now := -1, -1
	priority := func(group int) int {
		for _, p := range mp.Paths {
			if p.Group == group {
				return multipath.Priority(p.Path)
			}
		}
		return -1
	}
	for i, state := range mp.Groups {
		if state == 'A' {
			now = i
		}
		works := slices.ContainsFunc(mp.Paths, func(p maps.Path) bool { return p.Group == i && !p.Failed })
		if state != 'D' && works && (best < 0 || priority(i) > priority(best)) {
			best = i
		}
	}
	if now >= 0 && best >= 0 && priority(best) > priority(now) {
		k.warn(mp.Name+" group", k.cfg.Maps.Message(mp.Name, fmt.Sprintf("switch_group %d", best+1)))
	}
}

// checkQueue switches the queue of a map off when no path has worked for too long, and on again
// with the first one. While a path works it is on: multipathd switches it off when it ends or finds
// no settings for the hardware (multipathd/main.c: cleanup_maps; libmultipath/structs_vec.c:
// set_no_path_retry), and a change of the table may have read it before it was switched on.
func (k *Keeper) checkQueue(mp *maps.Map, m *mapState, sessions []Session) time.Duration {
	m.failing = m.failing && !mp.Queue
	if working(mp) > 0 {
		if !mp.Queue {
			err := k.cfg.Maps.Message(mp.Name, "queue_if_no_path")
			if k.warn(mp.Name, err); err != nil {
				return recheck
			}
			k.logQueue(mp, m)
		}
		m.down, m.failing = false, false
		return recovery.SurveyEvery
	}
	limit := queueLimit(mp, sessions)
	if !m.down {
		m.down, m.since = true, k.now()
		k.logNone(mp, limit)
	}
	if !mp.Queue {
		return recovery.SurveyEvery
	}
	down, next := k.now()-m.since, recovery.SurveyEvery
	if limit >= 0 {
		next = min(next, limit-down)
	}
	why := ""
	switch {
	case limit >= 0 && down >= limit:
		why = "I/O fails until one is back"
	case k.cfg.MirrorTimeout > 0 && down >= k.cfg.MirrorTimeout && k.covered(mp):
		why = "an array works without it: its I/O fails until one is back"
	case k.cfg.MirrorTimeout > 0:
		next = min(next, max(k.cfg.MirrorTimeout-down, recheck))
	}
	if why == "" {
		return next
	}
	err := k.cfg.Maps.Message(mp.Name, "fail_if_no_path")
	if k.warn(mp.Name, err); err != nil {
		return recheck
	}
	m.failing = true
	k.cfg.Log.Errorf("map %s: no path for %.0f s: %s", mp.Name, down.Seconds(), why)
	return recovery.SurveyEvery
}

// logQueue logs that the queue of a map is on again, once where the Keeper has not switched it off.
func (k *Keeper) logQueue(mp *maps.Map, m *mapState) {
	switch {
	case m.failing:
		k.cfg.Log.Infof("map %s: I/O waits again while no path is left", mp.Name)
	case !m.told:
		m.told = true
		k.cfg.Log.Warnf("map %s: its I/O did not wait for a path, maybe by multipathd: I/O waits again while no path is left", mp.Name)
	}
}

// queueLimit is for how long a map holds I/O back; negative: no limit. For one whose disks are gone
// any session's limit counts.
func queueLimit(mp *maps.Map, sessions []Session) time.Duration {
	var longest uint32
	for _, s := range sessions {
		if mp.Gone() || slices.ContainsFunc(mp.Paths, func(p maps.Path) bool { return p.Session == s.ID() }) {
			longest = max(longest, s.Queue())
		}
	}
	if longest == session.Never {
		return -1
	}
	return time.Duration(longest) * time.Second
}

func (k *Keeper) logNone(mp *maps.Map, limit time.Duration) {
	switch {
	case !mp.Queue:
		k.cfg.Log.Errorf("map %s: no path is left: I/O fails", mp.Name)
	case limit < 0:
		k.cfg.Log.Errorf("map %s: no path is left: I/O waits", mp.Name)
	default:
		k.cfg.Log.Errorf("map %s: no path is left: I/O waits for up to %.0f s", mp.Name, limit.Seconds())
	}
}

// covered reports whether all that is in use works without a map.
func (k *Keeper) covered(mp *maps.Map) bool {
	return k.cfg.Covered != nil && slices.ContainsFunc(mp.Paths, func(p maps.Path) bool { return p.Session != 0 && k.cfg.Covered(p.Session) })
}

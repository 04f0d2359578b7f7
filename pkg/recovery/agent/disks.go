package agent

import (
	"context"
	"slices"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
)

// newDisks makes the keeper of the disks' settings, for newWorker.
func (w *worker) newDisks() *disks.Keeper {
	return disks.New(disks.Config{
		Sys: "/sys", Proc: "/proc", Sessions: w.diskSessions, Past: w.state.Disks, NextReport: recovery.NextReport, SurveyEvery: recovery.SurveyEvery,
		Covered: w.covered, Changed: w.disksChanged, Checked: w.disksChecked, LUNsChanged: w.lunsChanged, Log: w.log,
	})
}

// diskSessions lists the sessions for the disk keeper.
func (w *worker) diskSessions() []disks.Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []disks.Session
	for _, s := range w.sessions {
		out = append(out, s)
	}
	return out
}

// disksChecked has new disks used, and what no disk is there for yet scanned for. It reports
// whether there is such a LUN.
func (w *worker) disksChecked() (waits bool) {
	w.repairs.Wake()
	w.checkLegs()
	w.mu.Lock()
	all := slices.Clone(w.sessions)
	w.mu.Unlock()
	for _, s := range all {
		waits = s.ScanIfDue() || waits
	}
	return waits
}

// lunsChanged has a session scanned for the LUNs that it waits for.
func (w *worker) lunsChanged(sid uint32) {
	if s := w.session(sid); s != nil {
		s.LUNsChanged()
	}
}

// covered reports whether all that is in use above a session's disks works without them, and
// without those of the sessions that are down or were a short time ago: where what several sessions
// have in common fails again and again, such as a switch, a command that is repeated a few times
// only would fail on all of them.
func (w *worker) covered(sid uint32) bool {
	return w.use != nil && w.use(sid, append(w.downSessions(), w.recentlyDown()...)).Covered()
}

// unsettled is for how long a session that is logged in again counts as down.
const unsettled = time.Minute

// noteDown stores which sessions are down, or were until now. mu is held.
func (w *worker) noteDown(all []recovery.Status) {
	if w.downAt == nil {
		w.downAt = map[uint32]time.Time{}
	}
	for _, s := range all {
		ended := func(p recovery.Status) bool { return p.SID == s.SID && !p.Up }
		if !s.Up || slices.ContainsFunc(w.state.Past, ended) {
			w.downAt[s.SID] = time.Now()
		}
	}
}

// recentlyDown lists the sessions that were down a short time ago.
func (w *worker) recentlyDown() (out []uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sid, at := range w.downAt {
		if time.Since(at) >= unsettled {
			delete(w.downAt, sid) // so that it does not grow
			continue
		}
		out = append(out, sid)
	}
	return out
}

// disksChanged saves the state of the keepers of disks and maps, and the recovery time-outs of the
// sessions, which it changes. The rest of a session may be in the middle of a login.
func (w *worker) disksChanged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.sessions {
		st := s.State()
		w.state.Sessions[i].Timers, w.state.Sessions[i].Due = st.Timers, st.Due
	}
	w.state.Disks, w.state.Paths = w.disks.Memory(), w.paths.Memory()
	w.save()
}

// releaseSessions ends the recovery of all sessions permanently: the machine's shutdown removes
// them next, with limited retries of their disks. It returns when no login runs, and no session is
// being replaced.
func (w *worker) releaseSessions(context.Context) error {
	w.disks.End()
	w.paths.End()
	w.replacing.Lock()
	defer w.replacing.Unlock()
	w.released = true
	w.mu.Lock()
	all := slices.Clone(w.sessions)
	w.mu.Unlock()
	for _, s := range all {
		if err := w.agent.Remove(s); err != nil {
			return err
		}
	}
	return nil
}

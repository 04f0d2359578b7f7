package agent

import (
	"context"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
)

// newDisks makes the keeper of the disks' settings, for newWorker.
func (w *worker) newDisks() *disks.Keeper {
	return disks.New(disks.Config{
		Sys: "/sys", Proc: "/proc", Sessions: w.diskSessions, Past: w.state.Disks, NextReport: recovery.NextReport, SurveyEvery: recovery.SurveyEvery,
		Covered: w.covered, Changed: w.disksChanged, Checked: w.disksChecked, Log: w.log,
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

// covered reports whether all that is in use above a session's disks works without them now.
func (w *worker) covered(sid uint32) bool {
	return w.use != nil && w.use(sid, w.downSessions()).Covered()
}

// disksChanged saves the disk keeper's state, and the recovery time-outs of the sessions, which it
// changes. The rest of a session may be in the middle of a login.
func (w *worker) disksChanged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.sessions {
		st := s.State()
		w.state.Sessions[i].Timers, w.state.Sessions[i].Due = st.Timers, st.Due
	}
	w.state.Disks = w.disks.Memory()
	w.save()
}

// releaseSessions ends the recovery of all sessions permanently: the machine's shutdown removes
// them next, with limited retries of their disks. It returns when no login runs, and no session is
// being replaced.
func (w *worker) releaseSessions(context.Context) error {
	w.disks.End()
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

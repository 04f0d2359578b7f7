package agent

import (
	"context"
	"slices"

	"github.com/iscsiroot/iscsiroot/pkg/recovery"
	"github.com/iscsiroot/iscsiroot/pkg/recovery/disks"
)

// newDisks makes the keeper of the disks' settings, for newWorker.
func (w *worker) newDisks() *disks.Keeper {
	cfg := disks.Config{
		Sys: "/sys", Proc: "/proc", Past: w.state.Disks, NextReport: recovery.NextReport, SurveyEvery: recovery.SurveyEvery, Changed: w.disksChanged, Log: w.log,
	}
	for _, s := range w.sessions {
		cfg.Sessions = append(cfg.Sessions, s)
	}
	return disks.New(cfg)
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
// them next, with limited retries of their disks. It returns when no login runs.
func (w *worker) releaseSessions(context.Context) error {
	w.disks.End()
	for _, s := range slices.Clone(w.sessions) {
		if err := w.agent.Remove(s); err != nil {
			return err
		}
	}
	return nil
}

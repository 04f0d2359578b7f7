package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// unguard ends the recovery of all sessions.
func (ss *Sessions) unguard() {
	guard := ss.guard.Load()
	if guard == nil {
		return
	}
	for _, s := range ss.list {
		if err := guard.Remove(s); err != nil {
			ss.Log.Debugf("session %d: %v", s.SID, err)
		}
	}
}

// RepeatIfLost calls work, which sends commands to the target, and repeats it as long as the
// session was lost meanwhile: its result may be incomplete then. lost: the session was lost before,
// in this call or an earlier one. RepeatIfLost waits for a session that is down; if ctx ends first,
// the error names the session, and that it is being recovered.
func (ss *Sessions) RepeatIfLost(ctx context.Context, s *session.Session, work func(lost bool) error) error {
	guard := ss.guard.Load()
	if guard == nil { // the agent has the sessions, and their outages are not known here
		return work(true)
	}
	for again := false; ; again = true {
		if err := guard.WaitUp(ctx, s); err != nil {
			return err
		}
		before, up, err := guard.Outages(ctx, s)
		if err != nil {
			return err
		}
		if !up { // lost since
			continue
		}
		werr := work(before > 0)
		after, up, err := guard.Outages(context.WithoutCancel(ctx), s)
		switch {
		case err != nil:
			return errors.Join(werr, err)
		case up && after == before && again && werr != nil:
			// A target that has just been started may not have all LUNs yet.
			return sequence.AsRetryable(werr)
		case up && after == before:
			return werr
		case ctx.Err() != nil:
			return sequence.AsRetryable(fmt.Errorf("session %d to %s was lost meanwhile", s.SID, s.Target))
		}
		ss.Log.Infof("session %d to %s was lost meanwhile: trying again", s.SID, s.Target)
	}
}

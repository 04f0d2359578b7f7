package recovery

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/session"
)

// The steps of the agent's login are permitted unless another program takes part.
func TestPermitOfLoginSteps(t *testing.T) {
	type world struct {
		ids    []uint32
		bound  bool
		unread int
	}
	type step struct {
		world
		step session.Step // "": a look
		ok   bool
	}
	const look = session.Step("")
	stopped := func(bound bool) world { return world{[]uint32{99}, bound, 500} }
	free, taken := owners(nil), owners{{99, 500}}
	for name, c := range map[string]struct {
		known    owners
		bindable bool
		steps    []step
	}{
		"ours alone": {free, true, []step{
			{world{bound: true}, session.StepStop, true},
			{world{}, session.StepBind, true},
			{world{bound: true}, session.StepStop, true}, // it failed
		}},
		"a new listener": {free, true, []step{
			{world{}, session.StepStop, true},
			{world{ids: []uint32{7}}, session.StepBind, false},
			{world{}, session.StepStop, false}, // that has gone, but may have acted
		}},
		"another program binds after our stop": {free, true, []step{
			{world{bound: true}, session.StepStop, true},
			{world{bound: true}, session.StepBind, false},
		}},
		"taken": {taken, false, []step{
			{stopped(false), session.StepStop, true},
			{stopped(false), session.StepBind, true},
			{stopped(false), look, true}, // not bound yet
			{stopped(true), look, true},
			{world{[]uint32{99}, true, 900}, look, true},
		}},
		"taken, bound by its owner": {taken, false, []step{{stopped(true), session.StepStop, false}}},
		"taken, still bound":        {taken, true, []step{{stopped(true), session.StepStop, true}}},
		"its owner reads before the bind": {taken, false, []step{
			{stopped(false), session.StepStop, true},
			{world{[]uint32{99}, false, 0}, session.StepBind, false},
		}},
		"its owner reads after it": {taken, false, []step{
			{stopped(false), session.StepStop, true},
			{stopped(false), session.StepBind, true},
			{world{[]uint32{99}, true, 100}, look, false},
			{stopped(true), session.StepStop, false},
		}},
		"another program gives our connection up": {taken, false, []step{
			{stopped(false), session.StepStop, true},
			{stopped(false), session.StepBind, true},
			{stopped(true), look, true},
			{stopped(false), look, true},
			{stopped(false), look, true},
			{stopped(false), look, false},
		}},
		"we give it up": {taken, false, []step{
			{stopped(false), session.StepStop, true},
			{stopped(false), session.StepBind, true},
			{stopped(true), look, true},
			{stopped(true), session.StepStop, true},
			{stopped(false), look, true},
			{stopped(false), look, true},
			{stopped(false), look, true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var now world
			turn := &loginWatch{
				listeners: func() ([]uint32, error) { return now.ids, nil },
				bound:     func() (bool, error) { return now.bound, nil },
				unread:    func(uint32) (int, error) { return now.unread, nil },
				takenFrom: c.known, mayBeBound: c.bindable,
			}
			for i, s := range c.steps {
				now = s.world
				if s.step == look {
					if over := turn.check(); over == s.ok {
						t.Errorf("step %d: over %v", i, over)
					}
				} else if err := turn.permit(s.step); (err == nil) != s.ok || err != nil && !errors.Is(err, session.ErrNotPermitted) {
					t.Errorf("step %d: %v", i, err)
				}
			}
		})
	}
}

// A connection may be bound at the first step of a login, if it may be the agent's old one: of a
// session that is the agent's, that the target asked to leave, that was bound when it was taken, or
// whose connection ended a moment ago.
func TestOldConnectionMayBeBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{Listeners: func() ([]uint32, error) { return nil, nil }})
		time.Sleep(time.Hour)
		for name, tt := range map[string]struct {
			change func(w *sessionState)
			want   bool
		}{
			"taken":                        {func(*sessionState) {}, false},
			"not taken":                    {func(w *sessionState) { w.takenFrom = nil }, true},
			"needs a login":                {func(w *sessionState) { w.down.needsLogin = true }, true},
			"was bound":                    {func(w *sessionState) { w.down.wasBound = true }, true},
			"ended now":                    {func(w *sessionState) { w.down.endEventAt = a.now() }, true},
			"ended less than a second ago": {func(w *sessionState) { w.down.endEventAt = a.now() - settleTime + 1 }, true},
			"ended a second ago":           {func(w *sessionState) { w.down.endEventAt = a.now() - settleTime }, false},
		} {
			w := &sessionState{Session: &fake{sid: 1}, takenFrom: owners{}, down: newOutage(a.now(), errFoundDown)}
			if tt.change(w); a.newLoginWatch(w).mayBeBound != tt.want {
				t.Errorf("%s: may be bound %v", name, !tt.want)
			}
		}
	})
}

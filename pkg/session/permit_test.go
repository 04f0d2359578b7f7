package session

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/kernel/kerneltest"
)

// A step that is not permitted is not executed, nor is any after it.
func TestPermit(t *testing.T) {
	busy := iscsitest.Status(0x0302)
	for _, tt := range []struct {
		name  string
		deny  int // which call is denied, from 1
		asked []Step
		made  []string
	}{
		{"the stop", 1, []Step{StepStop}, nil},
		{"the bind", 2, []Step{StepStop, StepBind, StepStop}, []string{"stop 3"}},
		{"the stop of a login that fails", 3, []Step{StepStop, StepBind, StepStop}, []string{"stop 3", "bind, leading 1"}},
		{"none", 0, []Step{StepStop, StepBind, StepStop}, []string{"stop 3", "bind, leading 1", "stop 3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tg := startTarget(t, iscsitest.Script{busy}, iscsitest.Script{busy})
			k := kerneltest.New()
			tr := k.Transport()
			t.Cleanup(func() { k.Close(); _ = tr.Close() })
			state := startSession(t, tr, Config{Initiator: initiator, Target: specOf(tg.portal)}).State()
			s := Reopen(tr, state)
			conn, err := s.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			before := len(k.Requests())
			var asked []Step
			denied := false
			ctx := WithPermit(t.Context(), func(step Step) error {
				asked = append(asked, step)
				if denied = denied || len(asked) == tt.deny; denied {
					return fmt.Errorf("test: %w", ErrNotPermitted)
				}
				return nil
			})
			err = s.Relogin(ctx, conn)
			if err == nil || errors.Is(err, ErrNotPermitted) != (tt.deny > 0) {
				t.Errorf("error %v", err)
			}
			var made []string
			for _, step := range steps(k.Requests()[before:]) {
				if step == "stop 3" || step == "bind, leading 1" {
					made = append(made, step)
				}
			}
			if !slices.Equal(asked, tt.asked) || !slices.Equal(made, tt.made) {
				t.Errorf("asked %v, made %v, want %v and %v", asked, made, tt.asked, tt.made)
			}
		})
	}
}

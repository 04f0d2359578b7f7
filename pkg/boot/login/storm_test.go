package login

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi/iscsitest"
)

// unready is a login error that is retryable.
type unready struct{ error }

func (unready) Retryable() bool { return true }

// 200 machines at a target that admits 20 at a time, half a second each: all logins succeed.
func TestBootStorm(t *testing.T) {
	const machines = 200
	synctest.Test(t, func(t *testing.T) {
		target := &iscsitest.Target{Admit: 20, Hold: 500 * time.Millisecond, Full: 0x0302}
		began := time.Now()
		var failed sync.Map
		var all sync.WaitGroup
		for i := range machines {
			all.Go(func() {
				r := sequence.Runner{Log: &steptest.Recorder{}, Steps: []sequence.Step{{Name: "login", Run: stormLogin(t, target, i)}}}
				if f := r.Run(t.Context()); f != nil {
					failed.Store(i, f)
				}
			})
		}
		all.Wait()
		failed.Range(func(i, f any) bool {
			t.Errorf("machine %v: %v", i, f)
			return true
		})
		// 10 rounds of half a second is what the target needs at least.
		took := time.Since(began)
		if target.Logins() != machines || target.Refusals() == 0 || took < 4500*time.Millisecond || took > time.Minute {
			t.Errorf("%d logins, %d refusals, %v", target.Logins(), target.Refusals(), took)
		}
		t.Logf("%d machines are logged in after %v, %d were refused", machines, took, target.Refusals())
	})
}

// stormLogin is one attempt of one machine, which disconnects after the login: the target limits
// logins only.
func stormLogin(t *testing.T, target *iscsitest.Target, machine int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		conn, wait := target.Start()
		_, err := iscsi.Login(ctx, iscsi.NewTCPPipe(conn), iscsi.LoginConfig{
			InitiatorName: fmt.Sprintf("iqn.2007-01.com.example:machine%d", machine), TargetName: "iqn.2007-01.com.example:storage", CmdSN: 1,
		})
		_ = wait()
		var status *iscsi.StatusError
		if errors.As(err, &status) && status.Retryable() {
			return unready{err}
		}
		if err != nil {
			t.Errorf("machine %d: %v", machine, err)
		}
		return nil
	}
}

package netup

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/internal/steptest"
	"github.com/iscsiroot/iscsiroot/pkg/network"
)

// slowDriver is a driver whose load ends at a time.
type slowDriver struct{ ends time.Time }

func (*slowDriver) LoadNetwork(context.Context) error { return nil }

func (d *slowDriver) Loading() []string {
	if time.Now().Before(d.ends) {
		return []string{"e1000e"}
	}
	return nil
}

func (d *slowDriver) Idle() time.Duration { return max(0, time.Since(d.ends)) }

// The step network goes on while a driver is still loading, and for Grace after that.
func TestNetworkWaitsForDrivers(t *testing.T) {
	for _, probe := range []time.Duration{0, 100 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			driver := &slowDriver{ends: time.Now().Add(probe)}
			s := New(Config{Drivers: driver})
			began, log := time.Now(), &steptest.Recorder{}
			r := sequence.Runner{Log: log, Steps: []sequence.Step{{Name: "network", Timeout: AttemptTimeout, Grace: Grace, Run: func(ctx context.Context) error {
				<-ctx.Done()
				return s.untilDrivers(explainNoNIC(&network.WaitError{State: network.State{Loading: driver.Loading()}, Err: ctx.Err()}, t.TempDir()))
			}}}}
			f := r.Run(t.Context())
			if f == nil || !strings.Contains(f.Error(), "no network interface: add the driver") {
				t.Errorf("failure is %v", f)
			}
			least := probe + Grace
			if took := time.Since(began); took < least || took > least+2*(AttemptTimeout+sequence.MaxPause*3/2) {
				t.Errorf("gave up after %v", took)
			}
			if got := log.Lines()[0]; probe > 0 && got != "error network: no network interface yet: driver e1000e is still loading: trying again" {
				t.Errorf("log is %s", got)
			}
		})
	}
}
